import { describe, it, type TestContext } from 'vitest';
import { type Fault, type FaultOptions, type FaultServer, serveFiles } from '../fakes/fault-server.ts';
import { isThere, type Outcome, RELEASE_FILES, Stage } from './stage.ts';

const BASE = ['uname', 'mktemp', 'rm', 'cat', 'wc', 'cp', 'sleep', 'sha256sum', 'node'];

async function faultServer({ onTestFinished }: TestContext, fault: Fault, options: FaultOptions = {}): Promise<FaultServer> {
  const server = await serveFiles(RELEASE_FILES, fault, options);
  onTestFinished(() => server.close());
  return server;
}

// Most of these tests wait for something that does not come, so they wait together.
describe.concurrent.each([
  ['curl', 'curl', 'curl'],
  ['GNU wget', 'wget', 'wget'],
  ['busybox wget', 'busybox', 'wget=busybox'],
])('a download by %s', (_, program, link) => {
  const there = isThere(program);

  async function download(
    context: TestContext,
    fault: Fault,
    options: FaultOptions = {},
  ): Promise<Outcome & { readonly server: FaultServer }> {
    const stage = await Stage.for(context);
    const server = await faultServer(context, fault, options);
    const env = { PATH: await stage.path(...BASE, link), SLIPWAY_TIMEOUT: '1' };
    return { ...(await stage.run({ facts: { locations: [server.url] }, env })), server };
  }

  it.skipIf(!there)('succeeds when the line is slow', async (context) => {
    context.expect(await download(context, 'slow')).toMatchObject({ code: 0, left: [], operator: { terminal: false } });
  });

  it.skipIf(!there)('goes on where a broken connection stopped', async (context) => {
    const outcome = await download(context, 'truncated', { times: 1 });
    context.expect(outcome).toMatchObject({ code: 0, left: [], operator: { terminal: false } });
    context.expect(outcome.stderr).toContain('Attempt 1 of 3 failed');
    context.expect(outcome.server.requests.map((request) => request.range)).toEqual([undefined, 'bytes=10000-']);
  });

  it.skipIf(!there)('begins again where a server cannot go on', async (context) => {
    const outcome = await download(context, 'truncated', { times: 1, ranges: false });
    context.expect(outcome).toMatchObject({ code: 0, left: [], operator: { terminal: false } });
  });

  it.skipIf(!there).for<Fault>(['truncated', 'stall', 'missing'])(
    'gives up after three attempts when the answer is "%s"',
    async (fault, context) => {
      const outcome = await download(context, fault);
      context.expect(outcome).toMatchObject({ code: 5, operator: undefined, left: [], stdout: '' });
      context.expect(outcome.stderr).toContain('could not be had; nothing was changed');
      context.expect(outcome.server.requests).toHaveLength(3);
    },
  );

  it.skipIf(!there).for<Fault>(['wrong', 'short', 'page'])(
    'refuses at once an answer that is well formed but "%s"',
    async (fault, context) => {
      const outcome = await download(context, fault);
      context.expect(outcome).toMatchObject({ code: 5, operator: undefined, left: [], stdout: '' });
      context.expect(outcome.stderr).toMatch(/Refused: operator\.js (has \d+ bytes instead of 40960|is not the one)/);
      context.expect(outcome.server.requests).toHaveLength(1);
    },
  );

  it.skipIf(!there)('stops an answer without end soon after the expected size', async (context) => {
    const outcome = await download(context, 'endless');
    context.expect(outcome).toMatchObject({ code: 5, operator: undefined, left: [] });
    context.expect(outcome.stderr).toMatch(/Refused: operator\.js has 4\d{4} bytes instead of 40960/);
  });

  it.skipIf(!there)('takes the next location when the first has other bytes', async (context) => {
    const stage = await Stage.for(context);
    const good = await faultServer(context, 'none');
    const bad = await faultServer(context, 'wrong');
    const env = { PATH: await stage.path(...BASE, link) };
    const outcome = await stage.run({ facts: { locations: [bad.url, good.url] }, env });
    context.expect(outcome).toMatchObject({ code: 0, left: [] });
    context.expect(outcome.operator?.argv.slice(1, 3)).toEqual(['--releases', good.url]);
  });
});
