// A person's Ctrl-C while a command looks around. Rule: it ends the command; it is never taken for an engine, a host or a registry that does not answer.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { doctor } from '../../src/commands/operator/doctor.ts';
import { status } from '../../src/commands/operator/status.ts';
import { supportBundle } from '../../src/commands/operator/support-bundle.ts';
import { ToolError } from '../../src/model/error.ts';
import type { Run } from '../../src/model/seams.ts';
import { observeClock, observeRegistries } from '../../src/observe/network.ts';
import { observeRepository } from '../../src/observe/repositories.ts';
import { failure } from '../failure.ts';
import { type InstallStage, makeInstallStage } from '../fakes/install-stage.ts';
import { quietWorld } from '../fakes/release-builder.ts';

let stage: InstallStage;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
});

const stop = AbortSignal.abort();

/** An engine whose client is ended by Ctrl-C when it is called with this word. */
function interruptedAt(word: string): Run {
  const client = stage.engine.client();
  return async (argv, options) => {
    if (argv.includes(word)) throw new ToolError('E_INTERRUPTED', 'interrupted');
    return client(argv, options);
  };
}

describe('Ctrl-C', () => {
  test.each(['info', 'version'])('while docker %s is asked is no finding of an install or a doctor', async (word) => {
    await stage.publish('1.0.0');
    expect(await failure(stage.install({}, { run: interruptedAt(word) }))).toMatchObject({ code: 'E_INTERRUPTED' });
    await stage.install();
    expect(await failure(stage.run(doctor, {}, { run: interruptedAt(word) }))).toMatchObject({ code: 'E_INTERRUPTED' });
  });

  test('while newer releases are looked for ends status, and is no host that is silent', async () => {
    await stage.publish('1.0.0');
    await stage.install();
    const record = join(stage.root, '.slipway/install.json');
    await writeFile(record, (await readFile(record, 'utf8')).replace(JSON.stringify(stage.host), '"http://127.0.0.1:9"'));
    expect((await stage.run(status)).text).toContain('not known');
    expect(await failure(stage.run(status, {}, { stop }))).toMatchObject({ code: 'E_INTERRUPTED' });
  });

  test('while a support bundle is gathered leaves none', async () => {
    await stage.publish('1.0.0');
    await stage.install();
    const out = join(stage.place, 'support.tar.gz');
    expect(await failure(stage.run(supportBundle, { out }, { run: interruptedAt('logs') }))).toMatchObject({ code: 'E_INTERRUPTED' });
    await expect(readFile(out)).rejects.toThrow('ENOENT');
  });

  test('while clock, registries and repositories are asked is no fact about them', async () => {
    const world = quietWorld({ stop, run: async () => Promise.reject(new ToolError('E_INTERRUPTED', 'interrupted')) });
    expect(await failure(observeClock(world, ['http://127.0.0.1:9']))).toMatchObject({ code: 'E_INTERRUPTED' });
    expect(await failure(observeRegistries(world, [`127.0.0.1:9/acme/api:1@sha256:${'0'.repeat(64)}`]))).toMatchObject({
      code: 'E_INTERRUPTED',
    });
    const request = { remote: { url: 'file:///nowhere' }, tag: 'v1', at: undefined };
    expect(await failure(observeRepository(request, world))).toMatchObject({ code: 'E_INTERRUPTED' });
  });
});
