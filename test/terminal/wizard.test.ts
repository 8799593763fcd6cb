// The wizard at a real terminal, from the first question to the installed product. Screens are kept beside this file; UPDATE_SCREENS=1 writes them anew.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { type Acme, makePlace, publishAcme } from './acme.ts';
import { svgOf, textOf } from './picture.ts';
import { HAS_TMUX, openTerminal, type RealTerminal } from './tmux.ts';

const PICTURES = join(import.meta.dirname, '../../docs/pictures');
let folder: string;
let acme: Acme;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'acme-terminal-'));
  if (HAS_TMUX) acme = await publishAcme(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Wish {
  readonly words?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
}

interface Stage extends Awaited<ReturnType<typeof makePlace>> {
  readonly open: (wish?: Wish) => RealTerminal;
  /** The screen from the wizard on, without what differs from machine to machine: paths, and what preflight warns of. */
  readonly still: (screen: string) => string;
}

async function stageFor({ onTestFinished }: TestContext): Promise<Stage> {
  const place = await makePlace(folder);
  const open = ({ words = [], command, env = {}, columns = 80 }: Wish = {}): RealTerminal => {
    const argv =
      command === undefined
        ? [...acme.install, '--dir', place.root, ...words]
        : [process.execPath, acme.program, ...command, '--dir', place.root, ...words];
    const terminal = openTerminal({ folder: place.place, argv, env: { ...place.env, ...env }, columns });
    onTestFinished(terminal.close);
    return terminal;
  };
  const still = (screen: string): string => screen.replaceAll(place.place, '/srv').replace(/^ *(?:warning|hint): .*\n/gm, '');
  return { ...place, open, still };
}

/** Waits for each text, then types the line that belongs to it. */
async function converse(terminal: RealTerminal, talk: readonly (readonly [string, string])[]): Promise<void> {
  for (const [text, line] of talk) {
    await terminal.until(text);
    terminal.type(line);
  }
}

function expectKept(path: string, text: string): void {
  if (process.env.UPDATE_SCREENS === '1') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(text).toBe(readFileSync(path, 'utf8'));
}

const screenFile = (name: string): string => join(import.meta.dirname, 'screens', `${name}.txt`);

/** From the line that holds one text up to the line that holds another. */
function cut(screen: string, from: string, to?: string): string {
  const lines = screen.split('\n');
  const start = lines.findIndex((line) => line.includes(from));
  const end = to === undefined ? -1 : lines.findIndex((line, index) => index > start && line.includes(to));
  return `${lines
    .slice(start, end < 0 ? undefined : end)
    .join('\n')
    .trimEnd()}\n`;
}

const SHORT: readonly (readonly [string, string])[] = [
  ['? Send e-mail?', ''],
  ['? Team chat?', ''],
  ['? How is this host reached?', ''],
  ['? Public host name', 'localhost'],
  ['? Administrator', 'me@acme.example'],
  ['? HTTP port', '18181'],
  ['? Public address', ''],
  ['? How much is logged', ''],
  ['? Workers', ''],
  ['? Folder of the uploads', ''],
];

describe.skipIf(!HAS_TMUX)('the wizard at a terminal', () => {
  it('leads from the first question to the running product; its answers by file give the same .env; configure changes one', async (context) => {
    const { open, still, root, place, env } = await stageFor(context);
    const server = createServer().listen(0);
    context.onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const taken = String((server.address() as AddressInfo).port);
    const saved = join(place, 'answers');
    const first = open({ words: ['--save-answers', saved, '--save-secrets'] });
    await converse(first, [
      ['? Send e-mail?', 'n'],
      ['? Team chat?', 'y'],
    ]);
    await first.until('? How is this host reached?');
    first.press('Down', 'Enter');
    await converse(first, [
      ['? Public host name', '?'],
      ['? Public host name', 'no host'],
      ['> DOMAIN must be a host name', ''],
    ]);
    await first.until('> DOMAIN must be');
    first.press('Escape');
    await first.until('? How is this host reached?');
    first.press('Enter');
    await converse(first, [
      ['? Public host name', 'localhost'],
      ['? Administrator', 'me@acme.example'],
      ['? HTTP port', taken],
      ['? Public address', ''],
    ]);
    await first.until('? How much is logged');
    first.press('Up', 'Enter');
    await converse(first, [
      ['? Workers', ''],
      ['? Folder of the uploads', ''],
      ['? SMTP server', 'mail.invalid'],
      ['? SMTP password', 'hush-hush'],
      ['? Token of the tunnel', ''],
      ['Enter goes on', '6'],
      ['? HTTP port', '18181'],
      ['Enter goes on', ''],
      ['Go on? [y/N]', 'y'],
    ]);
    const end = await first.ended();
    expect(end).toMatchObject({ code: 0, cursor: true, echo: true });
    const steady = (text: string): string => still(text).replaceAll(taken, 'TAKEN');
    expectKept(screenFile('install-80'), cut(steady(end.screen), 'Enter takes'));
    expect(first.written()).not.toContain('hush');
    const written = readFileSync(join(root, '.env'), 'utf8');
    expect(written).toContain('PUBLIC_URL=http://localhost:18181');
    expect(statSync(saved).mode & 0o777).toBe(0o600);

    const other = await makePlace(folder);
    const argv = [...acme.install.slice(1), '--dir', other.root, '--answers', saved, '--yes'];
    execFileSync(process.execPath, argv, { env: other.env, stdio: ['ignore', 'pipe', 'pipe'] });
    expect(readFileSync(join(other.root, '.env'), 'utf8')).toBe(written);

    const shown = still(first.coloured()).replaceAll(taken, 'TAKEN');
    first.close();
    picture('wizard', cut(shown, 'Enter takes', 'Enter goes on'));
    picture('plan', cut(shown, 'Plan: ', 'Go on?'));
    picture('progress', cut(shown, 'Go on?', '[ended'));

    const again = open({ command: ['configure'] });
    await converse(again, [
      ['? Send e-mail? (yes)', ''],
      ['? Team chat? (yes)', 'n'],
    ]);
    await again.until('? How is this host reached?');
    again.press('Enter');
    for (const text of [
      '? Public host name (localhost)',
      '? Administrator',
      '? HTTP port (18181)',
      '? Public address',
      '? How much is logged',
      '? Workers',
    ]) {
      await again.until(text);
      again.type(text.includes('Workers') ? '5' : '');
    }
    await converse(again, [
      ['? Folder', ''],
      ['? SMTP server', ''],
      ['? SMTP password (Enter keeps it)', 'other-secret'],
      ['? Token', ''],
      ['Enter goes on', ''],
      ['Go on? [y/N]', 'y'],
    ]);
    const changed = await again.ended();
    again.close();
    expectKept(screenFile('configure-80'), still(changed.screen));
    expect(changed.screen).toContain('WORKERS: 2 → 5');
    expect(changed.screen).toContain('SMTP_PASS: another value (hidden)');
    expect(changed.screen).toContain('features: mail, chat, tunnel=pangolin → mail, tunnel=pangolin');
    expect(readFileSync(join(root, '.env'), 'utf8')).toContain('COMPOSE_PROFILES=pangolin');

    const quiet = spawnSync(process.execPath, [acme.program, 'configure', '--dir', root, '--set', 'WORKERS=5'], { env, encoding: 'utf8' });
    expect([quiet.status, quiet.stdout]).toEqual([0, 'nothing to change\n']);
    const status = open({ command: ['status'] });
    await status.ended();
    picture('status', cut(still(status.coloured()), 'Acme', '[ended'));
    for (const text of [end.screen, changed.screen, status.screen()]) expectNoSlipway(text);
  }, 240_000);

  it('works at 60 columns without colour, and nothing is wider', async (context) => {
    const { open, still } = await stageFor(context);
    const terminal = open({ columns: 60, env: { NO_COLOR: '1' }, words: ['--plan'] });
    await converse(terminal, SHORT);
    await converse(terminal, [['that again:', '']]);
    const end = await terminal.ended();
    expect([end.code, end.cursor, end.echo]).toEqual([0, true, true]);
    expectKept(screenFile('plan-60'), cut(still(end.screen), 'Enter takes'));
    expect(
      Math.max(
        ...cut(end.screen, 'Your answers', 'Enter goes on')
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(60);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    expect(terminal.written()).not.toMatch(/\u001b\[(?:\d+;)*(?:1|2|3[0-7]|9[0-7])m/);
  }, 120_000);

  it.each([
    ['a simple terminal', { TERM: 'dumb' }, []],
    ['a screen reader', {}, ['--plain']],
  ] as const)(
    'writes lines alone for %s',
    async (_, env, words) => {
      const place = await makePlace(folder);
      const argv = [...acme.install, '--dir', place.root, '--plan', ...words];
      const terminal = openTerminal({ folder: place.place, argv, env: { ...place.env, ...env } });
      try {
        const talk = [...SHORT, ['Enter goes on', '']] as const;
        await converse(
          terminal,
          talk.map(([text, line]) => [text.replace(/^\? /, ''), line] as const),
        );
        const end = await terminal.ended();
        expect(end.code).toBe(0);
        expect(end.screen).toContain('How much is logged (debug, info, warn) [info]:');
        expect(terminal.written()).not.toContain('\u001b');
      } finally {
        terminal.close();
      }
    },
    120_000,
  );

  it.each([
    ['a line', 3, 'C-c'],
    ['a choice', 2, 'C-c'],
    ['the review', 10, 'C-c'],
    ['a line, by the end of the input', 4, 'C-d'],
  ] as const)(
    'leaves nothing behind when it is left at %s',
    async (_, after, key) => {
      const place = await makePlace(folder);
      const terminal = openTerminal({
        folder: place.place,
        argv: [...acme.install, '--dir', place.root, '--save-answers', join(place.place, 'saved')],
        env: place.env,
      });
      try {
        await converse(terminal, SHORT.slice(0, after));
        await terminal.until(SHORT[after]?.[0] ?? 'Enter goes on');
        terminal.press(key);
        expect(await terminal.ended()).toMatchObject({ code: 130, cursor: true, echo: true });
        expect([existsSync(place.root), existsSync(join(place.place, 'saved'))]).toEqual([false, false]);
      } finally {
        terminal.close();
      }
    },
    120_000,
  );

  it('asks nothing without a terminal, and says everything that is missing', async () => {
    const place = await makePlace(folder);
    const run = spawnSync(process.execPath, [...acme.install.slice(1), '--dir', place.root], {
      env: place.env,
      encoding: 'utf8',
      input: '',
    });
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/DOMAIN has no answer.*ADMIN_EMAIL has no answer/s);
    expect(existsSync(place.root)).toBe(false);
    expectNoSlipway(run.stderr);
  });
});

function picture(name: string, coloured: string): void {
  const svg = svgOf(
    coloured
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n'),
    80,
  );
  expectKept(join(PICTURES, `${name}.svg`), svg);
  expect(textOf(svg)).not.toBe('');
}

/** The names of environment variables and of the folder of an install are fixed; nothing else a person sees names the maker of the tool. */
function expectNoSlipway(screen: string): void {
  expect(screen.replaceAll(/SLIPWAY_[A-Z_]+|\.slipway\b|slipway\.local/g, '')).not.toMatch(/slipway/i);
}
