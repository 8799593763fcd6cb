// The test bed itself: run by `scripts/testbed.sh exec npx vitest run --project engine`.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const docker = async (...args: string[]): Promise<string> => (await run('docker', args)).stdout.trim();

test('the engine answers with its own compose, new enough for every product', async () => {
  const [major] = (await docker('version', '--format', '{{.Server.Version}}')).split('.');
  expect(Number(major)).toBeGreaterThanOrEqual(25);
  expect(await docker('compose', 'version', '--short')).toMatch(/^2\.(2[0-9]|[3-9][0-9])\./);
});

test('the engine is not the one of this machine', async () => {
  const folder = process.env.SLIPWAY_TESTBED;
  expect(folder).toBeTruthy();
  expect(process.env.DOCKER_HOST).toBe(`unix://${folder}/run/docker.sock`);
  expect(await docker('info', '--format', '{{.DockerRootDir}}')).toBe(`${folder}/data/docker`);
});

test('the registry answers, and the way to the internet is shut', async () => {
  const answer = await fetch(`http://${process.env.SLIPWAY_TESTBED_REGISTRY}/v2/`);
  expect(answer.status).toBe(200);
  const outside = fetch('http://192.0.2.1/', { signal: AbortSignal.timeout(5000) });
  await expect(outside).rejects.toMatchObject({ cause: { code: 'ENETUNREACH' } });
});
