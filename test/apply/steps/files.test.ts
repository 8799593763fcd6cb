// Files are prepared beside the running ones. Rule: what is prepared is what the plan named, or nothing is swapped in.
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { siteOf } from '../../../src/apply/site.ts';
import { fileSteps } from '../../../src/apply/steps/files.ts';
import { digestOf } from '../../../src/model/digest.ts';
import type { Step } from '../../../src/model/plan.ts';
import { quietWorld } from '../../fakes/release-builder.ts';

async function stage(kept: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'slipway-files-'));
  const content = digestOf('server 1;\n');
  const site = siteOf(root, 'upgrade-1', quietWorld());
  const step: Step<'stage-files'> = {
    ...{ kind: 'stage-files', why: 'new files', to: '.slipway/staged/upgrade-1/tree' },
    files: [{ path: 'configs/nginx.conf', content, mode: 0o644 }],
  };
  await mkdir(join(site.content(content), '..'), { recursive: true });
  await writeFile(site.content(content), kept);
  await fileSteps['stage-files'].run(step, site);
  return readFile(join(root, step.to, 'configs/nginx.conf'), 'utf8');
}

test('a file is prepared as the plan names it', async () => {
  expect(await stage('server 1;\n')).toBe('server 1;\n');
});

test.each([
  ['that a power cut emptied', ''],
  ['that somebody wrote on into', 'server 1;\nmore\n'],
])('a file %s is refused by its path, before anything is swapped', async (_, kept) => {
  await expect(stage(kept)).rejects.toMatchObject({ code: 'E_DIGEST', message: expect.stringContaining('configs/nginx.conf') });
});
