// The compose project as the real Docker Compose reads it, env files that are not in place yet among it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../src/model/env-file.ts';
import type { ComposeFact } from '../../src/model/facts.ts';
import { observeCandidate } from '../../src/observe/engine.ts';
import { hashesByDependencies, readComposeConfig } from '../../src/world/compose-config.ts';
import { runProgram } from '../../src/world/run.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { findCompose } from '../model/real-compose.ts';

const docker = findCompose();
const PROJECT = { name: 'acme', folder: '.', files: ['docker-compose.yml'] };
const COMPOSE = `services:
  api:
    image: api
    command: [run, "$$HOME"]
    env_file: [env/api.env]
    environment: { OF: "\${A}" }
    volumes: ["./data:/data"]
  web:
    image: web
`;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-'));
  await mkdir(join(root, 'env'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const world = quietWorld({
  env: { PATH: process.env.PATH, DOCKER_CONFIG: process.env.DOCKER_CONFIG },
  run: (argv, options) => runProgram([docker ?? '', ...argv.slice(1)], options),
});

function candidate(api: string): Promise<ComposeFact> {
  const settings = new Map([
    ['.env', parseEnvFile('A=1\n')],
    ['env/api.env', parseEnvFile(api)],
  ]);
  return observeCandidate(world, root, { project: PROJECT, texts: new Map([['docker-compose.yml', COMPOSE]]), settings });
}

describe.skipIf(docker === undefined)('env files of services', () => {
  it('that are not in place yet are read as if they were, with the very same hashes', async () => {
    const ahead = await candidate("KEY='a $b'\nURL=http://$A/\n");
    await writeFile(join(root, 'docker-compose.yml'), COMPOSE);
    await writeFile(join(root, '.env'), 'A=1\n');
    await writeFile(join(root, 'env/api.env'), "KEY='a $b'\nURL=http://$A/\n");
    expect(ahead).toEqual(await readComposeConfig({ world, root }, PROJECT));
    expect(ahead.services.api?.mounts).toMatchObject([{ source: join(root, 'data') }]);
  });

  it('let a service without its dependencies have the hash that it has when it is started alone', async () => {
    const text = (needs: string): string => `services:\n  api: { image: api${needs} }\n  db: { image: db }\n  web: { image: web }\n`;
    const engine = { world, root };
    await writeFile(join(root, '.env'), '');
    await writeFile(join(root, 'docker-compose.yml'), text(''));
    const alone = (await readComposeConfig(engine, PROJECT)).hashes.api ?? '';
    await writeFile(join(root, 'docker-compose.yml'), text(', depends_on: [db, web]'));
    const found = (await hashesByDependencies(engine, PROJECT, new Set(['api', 'db']))).get('api');
    expect(found?.has(alone)).toBe(true);
    await writeFile(join(root, 'docker-compose.yml'), text(', depends_on: [web]'));
    expect(found?.has((await readComposeConfig(engine, PROJECT)).hashes.api ?? '')).toBe(true);
  });

  it('change the hash of the service that reads them, and of no other', async () => {
    const [one, other] = [await candidate('KEY=1\n'), await candidate('KEY=2\n')];
    expect(other.hashes.web).toBe(one.hashes.web);
    expect(other.hashes.api).not.toBe(one.hashes.api);
  });
});
