// Leaving the wizard at a real terminal: Ctrl-C, the end of the input, a terminal that is closed. Rule: wherever it happens, nothing is left but a plain word.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { type Acme, makePlace, publishAcme } from './acme.ts';
import { HAS_TMUX, openTerminal, type RealTerminal } from './tmux.ts';

let folder: string;
let acme: Acme;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'acme-leaving-'));
  if (HAS_TMUX) acme = await publishAcme(folder);
});

/** Everything but what is left out; with e-mail, whose password is asked for hidden. */
const GIVEN: Readonly<Record<string, string>> = {
  FEATURES: 'mail,tunnel=none',
  DOMAIN: 'localhost',
  ADMIN_EMAIL: 'me@acme.example',
  HTTP_PORT: '18191',
  PUBLIC_URL: 'http://localhost',
  LOG_LEVEL: 'info',
  WORKERS: '2',
  UPLOADS: './uploads',
  SMTP_HOST: 'mail.invalid',
  SMTP_PASS: 'hush',
};

interface Stop {
  /** The answer that is asked for; none = the plan is shown at once. */
  readonly open?: string;
  readonly lines?: readonly (readonly [string, string])[];
  /** What is on the screen when the person leaves. */
  readonly at: string;
}

const STOPS: Readonly<Record<string, Stop>> = {
  'an ordinary question': { open: 'DOMAIN', at: '? Public host name' },
  'a choice': { open: 'LOG_LEVEL', at: '? How much is logged' },
  'a hidden question': { open: 'SMTP_PASS', at: '? SMTP password' },
  'the review': { open: 'DOMAIN', lines: [['? Public host name', 'localhost']], at: 'Enter goes on' },
  'the last question': { at: 'Go on? [y/N]' },
};

interface Opened {
  readonly terminal: RealTerminal;
  readonly root: string;
  readonly place: string;
  /** Holds the exit code once the command has ended, terminal or not. */
  readonly end: string;
}

async function openAt({ onTestFinished }: TestContext, stop: Stop, env: Readonly<Record<string, string>> = {}): Promise<Opened> {
  const { place, root, env: own } = await makePlace(folder);
  const answers = Object.entries(GIVEN).flatMap(([name, value]) => (name === stop.open ? [] : ['--set', `${name}=${value}`]));
  const end = join(place, 'end');
  const outlive = ['/bin/sh', '-c', 'trap : HUP INT; "$@"; code=$?; echo $code >"$0"; exit $code', end];
  const terminal = openTerminal({ folder: place, argv: [...outlive, ...acme.install, '--dir', root, ...answers], env: { ...own, ...env } });
  onTestFinished(terminal.close);
  const shown = (text: string): string => (env.TERM === 'dumb' ? text.replace(/^\? /, '') : text);
  for (const [text, line] of stop.lines ?? []) {
    await terminal.until(shown(text));
    terminal.type(line);
  }
  await terminal.until(shown(stop.at));
  return { terminal, root, place, end };
}

function expectNothingLeft({ root, place }: Opened): void {
  expect(existsSync(root)).toBe(false);
  expect(readdirSync(place).filter((name) => name.startsWith('slipway'))).toEqual([]);
}

const EVERY_STOP = Object.entries(STOPS);

/** The exit code of the command, when its terminal is gone. */
async function endOf({ end }: Opened): Promise<number> {
  for (const late = Date.now() + 20_000; Date.now() < late; await new Promise((resolve) => setTimeout(resolve, 40)))
    if (existsSync(end) && readFileSync(end, 'utf8') !== '') return Number(readFileSync(end, 'utf8'));
  throw new Error('the command goes on without a terminal');
}

describe.skipIf(!HAS_TMUX)('the wizard', () => {
  describe.each([
    ['Ctrl-C', 'C-c'],
    ['Ctrl-D, the end of the input', 'C-d'],
  ])('left with %s', (_, key) => {
    it.for(EVERY_STOP)('at %s ends with 130 and a plain word, and gives the terminal back as it was', async ([, stop], context) => {
      const opened = await openAt(context, stop);
      opened.terminal.press(key);
      const { code, cursor, echo, screen } = await opened.terminal.ended();
      expect({ code, cursor, echo }).toEqual({ code: 130, cursor: true, echo: true });
      expect(screen).toContain('acmectl: interrupted\n  hint: Nothing was changed.');
      expectNothingLeft(opened);
    });

    it.for(['an ordinary question', 'a hidden question', 'the review'])('at %s of lines alone does the same', async (name, context) => {
      const opened = await openAt(context, STOPS[name] ?? { at: '' }, { TERM: 'dumb' });
      opened.terminal.press(key);
      const { code, echo, screen } = await opened.terminal.ended();
      expect({ code, echo }).toEqual({ code: 130, echo: true });
      expect(screen).toMatch(/nothing was changed/i);
      expectNothingLeft(opened);
    });
  });

  it.for(EVERY_STOP)('whose terminal is closed at %s ends by itself', async ([, stop], context) => {
    const opened = await openAt(context, stop);
    opened.terminal.close();
    expect(await endOf(opened)).toBe(130);
    expectNothingLeft(opened);
  });

  it('writes nothing of a hidden answer that was begun', async (context) => {
    const opened = await openAt(context, STOPS['a hidden question'] ?? { at: '' });
    opened.terminal.press('h', 'u', 's', 'h', 'C-c');
    const { screen } = await opened.terminal.ended();
    expect(screen).not.toContain('hush');
    expect(opened.terminal.written()).not.toContain('hush');
  });
});
