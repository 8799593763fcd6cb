// Looking on from another terminal: what was done, what is being done, and how it ended. Rule: looking changes nothing, and what cannot be told is not made up.
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { liveHolder } from '../../src/apply/holder.ts';
import { attach } from '../../src/commands/operator/attach.ts';
import { keepProgress } from '../../src/commands/operator/keep-progress.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { exitCodeOf } from '../../src/model/error.ts';
import { lockPath, progressPath, resultPath } from '../../src/model/layout.ts';
import type { Run } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import { NEXT_FILES, nextImages } from '../fakes/found-install.ts';
import { type InstallStage, makeInstallStage, PRODUCT, type Ran } from '../fakes/install-stage.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';

const kept = keepProgress(upgrade);
const shortly = { sleep: async (): Promise<void> => pause(5) };
let stage: InstallStage;

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0');
  await stage.install();
  await stage.publish('1.1.0', nextImages(), NEXT_FILES);
});

/** The engine's client, held where this word comes up for the first time until it is let go. */
function heldAt(word: string): { run: Run; reached: Promise<void>; letGo: () => void } {
  let [reach, letGo] = [(): void => undefined, (): void => undefined];
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const gone = new Promise<void>((resolve) => (letGo = resolve));
  const client = stage.engine.client();
  const run: Run = async (argv, options) => {
    if (argv.includes(word)) {
      reach();
      await gone;
    }
    return client(argv, options);
  };
  return { run, reached, letGo: () => letGo() };
}

function stepsSeen({ events }: Pick<Ran, 'events'>): string[] {
  return events.flatMap((event) => {
    const { event: seen } = event as { event?: { type: string; why?: string } };
    return seen?.type === 'step' ? [seen.why ?? ''] : [];
  });
}

function stepsOf({ events }: Pick<Ran, 'events'>): string[] {
  return (events as { type: string; why?: string }[]).flatMap(({ type, why }) => (type === 'step' ? [why ?? ''] : []));
}

describe('attach', () => {
  test('shows a running upgrade from its first step to its last, and its result', async () => {
    const held = heldAt('stop');
    const running = stage.run(kept, { yes: true }, { run: held.run });
    await held.reached;
    const looking = stage.run(attach, {}, shortly);
    held.letGo();
    const [upgraded, seen] = await Promise.all([running, looking]);
    expect(stepsSeen(seen)).toEqual(stepsOf(upgraded));
    expect(stepsSeen(seen).length).toBeGreaterThan(8);
    expect(seen.fields).toMatchObject({ command: 'upgrade', ok: true, ...upgraded.fields, exit: 0 });
    expect(seen.text).toContain(upgraded.text);
  });

  test('shows how the last command ended when nothing runs, with its exit code, and not its steps again', async () => {
    await stage.publish(
      '1.2.0',
      { ...nextImages(), upgrade: { ...UPGRADE, health: [{ service: 'api', command: ['is-well'] }] } },
      NEXT_FILES,
    );
    const client = stage.engine.client();
    const run: Run = async (argv, options) =>
      argv.includes('is-well') ? { code: 1, stdout: '', stderr: 'not well\n' } : client(argv, options);
    const failed = await failure(stage.run(kept, { yes: true }, { run }));
    const seen = await stage.run(attach);
    expect(seen.exit).toBe(exitCodeOf(failed));
    expect(seen.exit).toBe(5);
    expect(seen.fields).toMatchObject({ command: 'upgrade', ok: false, code: failed.code, outcome: 'rolled-back', to: '1.2.0' });
    expect(seen.terminal.shown()).toContain(failed.message);
    expect(seen.terminal.shown()).toContain(`upgrade ended at ${seen.fields.at}`);
    expect(stepsSeen(seen)).toEqual([]);
  });

  test('has nothing to tell where nothing was done since it can be told', async () => {
    expect(await stage.run(attach)).toMatchObject({ fields: { outcome: 'nothing' }, text: 'nothing is being done here\n' });
  });

  test('after a crash says recover, and exits with 6', async () => {
    const held = heldAt('cp');
    void stage.run(kept, { yes: true }, { run: held.run });
    await held.reached;
    await becomeAnotherProcess();
    const said = await failure(stage.run(attach));
    expect(said.code).toBe('E_OPEN_OPERATION');
    expect(said.hint).toContain('recover');
    expect(exitCodeOf(said)).toBe(6);
    await stage.run(keepProgress(recover));
    expect((await stage.run(attach)).fields).toMatchObject({ command: 'upgrade', outcome: 'undone', ok: true });
  });

  test('says so when a command was cut off before it had changed anything', async () => {
    const asked = new Promise<void>((reached) => {
      const ask = (): Promise<never> => {
        reached();
        return new Promise(() => undefined); // killed while it waits for the person, when nothing else is under way
      };
      void stage.run(kept, {}, { terminal: { ...scriptedTerminal([]), ask } });
    });
    await asked;
    await becomeAnotherProcess();
    expect(await failure(stage.run(attach))).toMatchObject({ code: 'E_INTERRUPTED' });
  });
});

describe('two at once', () => {
  test('the second upgrade is refused, changes nothing, and the first one is still looked at', async () => {
    const held = heldAt('config');
    const running = stage.run(kept, { yes: true }, { run: held.run });
    await held.reached;
    const second = await failure(stage.run(kept, { yes: true }));
    expect(second).toMatchObject({ code: 'E_LOCKED', hint: expect.stringContaining('attach') });
    const looking = stage.run(attach, {}, shortly);
    held.letGo();
    expect((await running).fields).toMatchObject({ outcome: 'upgraded' });
    expect((await looking).fields).toMatchObject({ command: 'upgrade', outcome: 'upgraded' });
    expect(await liveHolder(lockPath(stage.root), quietWorld())).toBeUndefined();
  });

  test('whoever looks on holds nobody up: an upgrade begins and ends meanwhile', async () => {
    const held = heldAt('stop');
    const running = stage.run(kept, { yes: true }, { run: held.run });
    await held.reached;
    const lookers = [stage.run(attach, {}, shortly), stage.run(attach, {}, shortly)];
    held.letGo();
    await running;
    for (const { fields } of await Promise.all(lookers)) expect(fields).toMatchObject({ outcome: 'upgraded' });
  });
});

describe('what is written down', () => {
  test('tells whoever watches from outside how it ended, and only its owner may read it', async () => {
    await stage.run(kept, { yes: true });
    const result = JSON.parse(await readFile(resultPath(stage.root), 'utf8')) as object;
    expect(result).toMatchObject({
      type: 'result',
      command: 'upgrade',
      ok: true,
      outcome: 'upgraded',
      from: '1.0.0',
      to: '1.1.0',
      exit: 0,
    });
    const lines = (await readFile(progressPath(stage.root), 'utf8')).trim().split('\n');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ type: 'begun', command: 'upgrade', pid: process.pid });
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ type: 'result', ok: true });
  });

  test('holds no secret, even where a migration prints it', async () => {
    const env = await readFile(join(stage.root, '.env'), 'utf8');
    const secret = /^DB_PASSWORD=(.*)$/m.exec(env)?.[1] ?? '';
    expect(secret.length).toBeGreaterThan(8);
    const migrate = [{ service: 'api', command: ['migrate'], needs: ['db'], on: ['upgrade' as const], timeout: null }];
    await stage.publish('1.2.0', { ...nextImages(), upgrade: { ...UPGRADE, migrate } }, NEXT_FILES);
    const client = stage.engine.client();
    const ran = await stage.run(
      kept,
      { yes: true },
      {
        run: async (argv, options) => {
          if (argv.includes('migrate')) options?.onLine?.(`connecting with ${secret}`);
          return client(argv, options);
        },
      },
    );
    expect(ran.events).toContainEqual(expect.objectContaining({ line: `connecting with ${secret}` }));
    const written = await readFile(progressPath(stage.root), 'utf8');
    expect(written).toContain('connecting with [removed: DB_PASSWORD]');
    expect(written + (await readFile(resultPath(stage.root), 'utf8'))).not.toContain(secret);
  });

  test('goes with an install that is taken away, and leaves what a later install takes up', async () => {
    await stage.run(kept, { yes: true });
    await stage.run(keepProgress(uninstall), { yes: true });
    expect([progressPath(stage.root), resultPath(stage.root)].filter(existsSync)).toEqual([]);
    expect(existsSync(join(stage.root, '.slipway/install.json'))).toBe(true);
  });

  test('goes with an install that goes, and never keeps its folder', async () => {
    await stage.run(kept, { yes: true });
    expect(existsSync(resultPath(stage.root))).toBe(true);
    await stage.run(keepProgress(uninstall), { yes: true, 'purge-data': true }, { terminal: scriptedTerminal(['acme', 'acme']) });
    expect(existsSync(join(stage.root, '.slipway'))).toBe(false);
  });
});

const { upgrade: UPGRADE = { from: '>=1.0.0', stop: false, entry: [], timeout: 2, probation: 0, migrate: [], health: [] } } = PRODUCT;

/** What was reported until now is written down a moment later. */
async function quietFile(path: string): Promise<void> {
  for (let [before, now] = ['', await readFile(path, 'utf8')]; before !== now; [before, now] = [now, await readFile(path, 'utf8')])
    await pause(50);
}

/** What is left of a process that was killed: its lock and its file name a process that is no more. */
async function becomeAnotherProcess(): Promise<void> {
  await quietFile(progressPath(stage.root));
  for (const path of [lockPath(stage.root), progressPath(stage.root)]) {
    const text = await readFile(path, 'utf8').catch(() => '');
    await writeFile(path, text.replaceAll(/"started": ?"\d+"/g, '"started":"1"'));
  }
}
