// One refusal after another: a real cause, the words that a person reads, and nothing changed. Rule: what a row does not say is checked for every row.
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import type { ErrorCode } from '../../src/model/error.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Run } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { readFolderTree, treeText } from '../fakes/file-tree.ts';
import { type InstallStage, makeInstallStage, type Ran } from '../fakes/install-stage.ts';

export interface Scene extends InstallStage {
  readonly context: TestContext;
}

export interface Refusal {
  readonly name: string;
  readonly code: ErrorCode;
  /** The code of preflight's finding. */
  readonly finding?: string;
  readonly message: RegExp;
  /** The next step that the hint names. */
  readonly hint: RegExp;
  /** Makes the cause, and gives the attempt that is refused. */
  readonly cause: (scene: Scene) => Promise<() => Promise<Ran>>;
}

/** Makes the cause, tries, and compares the error; then the install's folder and the engine with what they were. */
export async function expectRefusal(refusal: Refusal, context: TestContext): Promise<void> {
  const scene = { ...(await makeInstallStage(context)), context };
  const attempt = await refusal.cause(scene);
  const before = worldOf(scene);
  const error = await failure(attempt());
  expect({ code: error.code, message: error.message, hint: error.hint ?? '' }).toEqual({
    code: refusal.code,
    message: expect.stringMatching(refusal.message),
    hint: expect.stringMatching(refusal.hint),
  });
  const { findings = [] } = error.details as { findings?: readonly { code: string; severity: string }[] };
  if (refusal.finding !== undefined)
    expect(findings.filter(({ severity }) => severity === 'block').map(({ code }) => code)).toContain(refusal.finding);
  expect(worldOf(scene)).toEqual(before);
}

/** Everything that could have been changed; what was fetched and verified may lie in the cache. */
function worldOf({ root, bin, engine }: InstallStage): unknown {
  const { containers, volumes, networks, images } = engine.snapshot();
  const steady = [...containers.values()].map(({ id, name, labels, image, state }) => ({ id, name, labels, image, state }));
  const files = existsSync(root) ? treeText(readFolderTree(root)).split('\n') : undefined;
  return {
    files: files?.filter((line) => !line.startsWith('.slipway/cache')),
    commands: treeText(readFolderTree(bin)),
    engine: { containers: steady, volumes: [...volumes], networks: [...networks], images: [...images] },
  };
}

export const requiring = (requires: Partial<Manifest['requires']>): Partial<Manifest> => ({
  requires: { ports: [], platforms: ['linux/amd64'], ...requires },
});

/** A program called `docker`, found on PATH like the real one, that answers as an engine of another version or state does. */
export async function dockerOnPath(place: string, answers: Readonly<Record<string, string>>): Promise<Run> {
  const folder = join(place, 'path');
  await mkdir(folder);
  const cases = Object.entries(answers).map(([words, answer]) => `  "${words}"*) cat <<'END'\n${answer}\nEND\n  exit 0 ;;`);
  await writeFile(join(folder, 'docker'), `#!/bin/sh\ncase "$*" in\n${cases.join('\n')}\n  compose*) exit 1 ;;\nesac\nexit 0\n`);
  await chmod(join(folder, 'docker'), 0o755);
  return (argv, options) => runProgram(argv, { ...options, env: { ...options?.env, PATH: `${folder}:${process.env.PATH}` } });
}
