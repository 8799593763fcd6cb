// A terminal that is lost while a command is at work, and another one that looks on. Rule: real terminals and real processes; the work ends as if nobody had looked.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { type Acme, makePlace, publishAcme } from './acme.ts';
import { HAS_TMUX, openTerminal, type RealTerminal } from './tmux.ts';

let folder: string;
let acme: Acme;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'acme-attach-'));
  if (HAS_TMUX) acme = await publishAcme(folder);
});

interface Place {
  readonly root: string;
  /** Opens a terminal with this command line of the install. */
  readonly open: (...words: string[]) => Promise<RealTerminal>;
  /** The engine goes on with what it is asked to change. */
  readonly letGo: () => void;
}

const GIVEN = ['DOMAIN=localhost', 'ADMIN_EMAIL=me@acme.example', 'HTTP_PORT=18192', 'TUNNEL_TOKEN=', 'FEATURES='];

async function installed({ onTestFinished }: TestContext): Promise<Place> {
  const { place, root, env } = await makePlace(folder);
  const answers = GIVEN.flatMap((each) => ['--set', each]);
  const [node = '', ...words] = acme.install;
  execFileSync(node, [...words, '--release-version', '1.0.0', '--dir', root, '--yes', ...answers], { env, stdio: 'pipe' });
  const hold = join(place, 'hold');
  writeFileSync(hold, '');
  const open = async (...rest: string[]): Promise<RealTerminal> => {
    const own = await mkdtemp(join(place, 't-'));
    const terminal = openTerminal({ folder: own, argv: [node, acme.program, ...rest, '--dir', root], env: { ...env, FAKE_HOLD: hold } });
    onTestFinished(terminal.close);
    return terminal;
  };
  return { root, open, letGo: () => rmSync(hold) };
}

describe.skipIf(!HAS_TMUX)('an upgrade', () => {
  beforeAll(async () => {
    if (HAS_TMUX) await acme.publish('1.1.0');
  });

  it('goes on when its terminal is closed, and another terminal shows it to its end', async (context) => {
    const { root, open, letGo } = await installed(context);
    const first = await open('upgrade', '--yes');
    await first.until(/pulling web/);
    first.close();
    const second = await open('attach');
    await second.until(/pulling web/);
    letGo();
    const { code, screen, cursor, echo } = await second.ended();
    expect({ code, cursor, echo }).toEqual({ code: 0, cursor: true, echo: true });
    expect(screen).toMatch(/upgrade, at work since .*\n.*Looking for a newer release[\s\S]*\[1\//);
    expect(screen).toContain('upgraded from 1.0.0 to 1.1.0');
    expect(JSON.parse(readFileSync(join(root, '.slipway/result.json'), 'utf8'))).toMatchObject({ ok: true, outcome: 'upgraded', exit: 0 });
    expect(readFileSync(join(root, 'VERSION'), 'utf8')).toBe('1.1.0\n');
    expect(existsSync(join(root, '.slipway/lock'))).toBe(false);
  });

  it('is left alone by Ctrl-C in the terminal that looks on, and by a second upgrade', async (context) => {
    const { open, letGo } = await installed(context);
    const first = await open('upgrade', '--yes');
    await first.until(/pulling web/);
    const second = await open('attach');
    await second.until(/pulling web/);
    second.press('C-c');
    const left = await second.ended();
    expect(left.code).toBe(130);
    expect(left.screen).toContain('the work goes on; `attach` shows it again');
    const third = await open('upgrade', '--yes');
    const refused = await third.ended();
    expect(refused.code).toBe(3);
    expect(refused.screen).toContain('upgrade is at work here');
    expect(refused.screen).toContain('`attach` shows what it does');
    letGo();
    expect(await first.ended()).toMatchObject({ code: 0 });
  });
});
