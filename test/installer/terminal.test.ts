import type { ChildProcess } from 'node:child_process';
import { beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { type Fault, type FaultServer, serveFiles } from '../fakes/fault-server.ts';
import { isThere, named, type Outcome, pathOf, RELEASE_FILES, SHELLS, Stage } from './stage.ts';

let stage: Stage;
beforeEach(async (context) => {
  stage = await Stage.for(context);
});

async function faultServer({ onTestFinished }: TestContext, fault: Fault = 'none'): Promise<FaultServer> {
  const server = await serveFiles(RELEASE_FILES, fault);
  onTestFinished(() => server.close());
  return server;
}

interface TerminalInput {
  readonly server: FaultServer;
  readonly shell: readonly string[];
  /** `{sh}` is the shell, `{script}` install.sh. */
  readonly command: string;
  readonly env?: Record<string, string>;
  /** Types `keys` as soon as `text` is on the screen. */
  readonly text: string;
  readonly keys: string;
}

async function inTerminal(input: TerminalInput): Promise<Outcome> {
  const script = await stage.script({ locations: [input.server.url] });
  const shell = [pathOf(input.shell[0] ?? ''), ...input.shell.slice(1)].join(' ');
  const line = input.command.replace('{sh}', shell).replace('{script}', script);
  const meet = (child: ChildProcess): void => typeAfter(child, input);
  return stage.run({ ...input, meet, wrap: () => [pathOf('script') ?? '', '-qefc', line, '/dev/null'] });
}

function typeAfter(child: ChildProcess, { text, keys }: TerminalInput): void {
  let screen = '';
  const look = (piece: Buffer): void => {
    screen += piece;
    if (!screen.includes(text)) return;
    child.stdout?.off('data', look);
    setTimeout(() => child.stdin?.write(keys), 200);
  };
  child.stdout?.on('data', look);
}

describe.each(SHELLS.map((shell) => [named(shell), shell] as const))('at a terminal, %s', (_, shell) => {
  const there = isThere(shell[0] ?? '') && isThere('script');
  const piped = 'cat {script} | {sh}';

  it.skipIf(!there)('lets the person answer although the script came through a pipe', async (context) => {
    const server = await faultServer(context);
    const env = { FAKE_ASK: '1', FAKE_EXIT: '3' };
    const outcome = await inTerminal({ server, shell, command: piped, env, text: 'your answer?', keys: 'forty-two\r' });
    expect(outcome).toMatchObject({ code: 3, left: [], operator: { terminal: true, answer: 'forty-two' } });
  });

  it.skipIf(!there)('leaves nothing behind after Ctrl-C in a download', async (context) => {
    const server = await faultServer(context, 'stall');
    const outcome = await inTerminal({ server, shell, command: piped, text: 'Fetching', keys: '\x03' });
    expect(outcome).toMatchObject({ code: 130, left: [], operator: undefined });
    expect(await server.connections()).toBe(0);
  });

  it.skipIf(!there || !isThere('busybox'))('leaves nothing behind after Ctrl-C in a download by busybox wget', async (context) => {
    const server = await faultServer(context, 'stall');
    const path = await stage.path('printf', 'uname', 'mktemp', 'rm', 'cat', 'wc', 'cp', 'sleep', 'sha256sum', 'node', 'wget=busybox');
    const outcome = await inTerminal({ server, shell, command: piped, env: { PATH: path }, text: 'Fetching', keys: '\x03' });
    expect(outcome).toMatchObject({ code: 130, left: [], operator: undefined });
    expect(await server.connections()).toBe(0);
  });

  it.skipIf(!there)('lets the operator end in its own way after Ctrl-C', async (context) => {
    const server = await faultServer(context);
    const command = `trap : INT; ${piped}`; // or the shell around it would report the signal instead of the exit code
    const outcome = await inTerminal({ server, shell, command, env: { FAKE_WAIT: '1' }, text: 'waiting', keys: '\x03' });
    expect(outcome).toMatchObject({ code: 42, left: [], operator: { terminal: true } });
  });
});

describe('where stdin is', () => {
  it.skipIf(!isThere('script'))('the terminal, it stays the terminal', async (context) => {
    const server = await faultServer(context);
    const input = { shell: ['dash'], env: { FAKE_ASK: '1' }, text: 'your answer?', keys: 'yes\r' };
    const outcome = await inTerminal({ server, command: '{sh} {script}', ...input });
    expect(outcome).toMatchObject({ code: 0, left: [], operator: { terminal: true, answer: 'yes' } });
  });

  it('no terminal and none can be opened, the operator reads nothing instead of waiting', async (context) => {
    const server = await faultServer(context);
    const outcome = await stage.run({ facts: { locations: [server.url] }, env: { FAKE_ASK: '1', FAKE_EXIT: '3' } });
    expect(outcome).toMatchObject({ code: 3, left: [], operator: { terminal: false, answer: null } });
  });

  it('closed, nothing goes wrong', async (context) => {
    const server = await faultServer(context);
    const script = await stage.script({ locations: [server.url] });
    const outcome = await stage.run({ wrap: () => ['sh', '-c', `exec sh '${script}' <&-`], env: { FAKE_ASK: '1' } });
    expect(outcome).toMatchObject({ code: 0, left: [], operator: { terminal: false, answer: null } });
  });
});

describe('a signal', () => {
  it.for([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s in a download ends it with %i and leaves nothing behind', async ([signal, code], context) => {
    const server = await faultServer(context, 'stall');
    const meet = (child: ChildProcess): void => {
      child.stderr?.on('data', (piece) => String(piece).includes('Fetching') && setTimeout(() => child.kill(signal), 300));
    };
    const outcome = await stage.run({ facts: { locations: [server.url] }, env: { SLIPWAY_TIMEOUT: '1' }, meet });
    expect(outcome).toMatchObject({ code, left: [], operator: undefined });
  });
});
