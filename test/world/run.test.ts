import { spawn } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runProgram } from '../../src/world/run.ts';

/** A child with a child of its own, which writes down both and waits. */
const FAMILY = 'sleep 300 & echo $$ $! > "$1"; wait';

async function idsIn(file: string): Promise<number[]> {
  for (let tries = 0; tries < 200; tries += 1) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text.trim().split(' ').map(Number);
    await wait(20);
  }
  throw new Error('the child did not start');
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
}

async function allEnded(ids: readonly number[]): Promise<boolean> {
  for (let tries = 0; tries < 500 && ids.some(isAlive); tries += 1) await wait(20);
  return !ids.some(isAlive);
}

async function file(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), 'slipway-')), 'ids');
}

test('a child that is to stop with us ends with all that it started', async () => {
  const ids = await file();
  const stop = new AbortController();
  const running = runProgram(['sh', '-c', FAMILY, 'sh', ids], { stop: stop.signal });
  const family = await idsIn(ids);
  stop.abort();
  expect((await running).code).not.toBe(0);
  expect(await allEnded(family)).toBe(true);
});

test('a stop that came before the child ends it at once', async () => {
  const { code } = await runProgram(['sleep', '300'], { stop: AbortSignal.abort() });
  expect(code).not.toBe(0);
});

test('it ends, too, when this process exits', async () => {
  const ids = await file();
  const run = join(import.meta.dirname, '../../src/world/run.ts');
  const script = `import { runProgram } from ${JSON.stringify(run)};
    process.on('SIGUSR2', () => process.exit(6)); // before the child, which may be faster than the line after it
    runProgram(['sh', '-c', ${JSON.stringify(FAMILY)}, 'sh', ${JSON.stringify(ids)}], { stop: new AbortController().signal });`;
  const program = `${ids}.mjs`;
  await import('esbuild').then(({ build }) =>
    build({
      stdin: { contents: script, resolveDir: import.meta.dirname },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
      logLevel: 'silent',
    }),
  );
  const parent = spawn(process.execPath, [program], { stdio: 'ignore' });
  const family = await idsIn(ids);
  parent.kill('SIGUSR2');
  expect(await allEnded(family)).toBe(true);
});

test('a child that runs out of time ends with all that it started, which would hold its output open', async () => {
  const ids = await file();
  await expect(runProgram(['sh', '-c', FAMILY, 'sh', ids], { timeout: 1 })).rejects.toMatchObject({ code: 'E_COMMAND' });
  expect(await allEnded(await idsIn(ids))).toBe(true);
});

test('a child that nobody asked to stop lives to its own end', async () => {
  expect(await runProgram(['sh', '-c', 'sleep 0.1; echo done'])).toEqual({ code: 0, stdout: 'done\n', stderr: '' });
});
