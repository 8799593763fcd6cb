// A product changes its signing key, and installs follow without being asked. Rule: only what the trusted key itself says leads to another one.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult, Flags } from '../../src/commands/command.ts';
import { keys } from '../../src/commands/slipway/keys.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { verify } from '../../src/commands/slipway/verify.ts';
import { KEY_TYPE, printKeyStatement } from '../../src/model/key-statement.ts';
import { parsePublicKey, parseSecretKey } from '../../src/model/minisign.ts';
import type { Trust } from '../../src/model/trust.ts';
import { signStatement } from '../../src/model/trusted-comment.ts';
import { type FetchedChannel, fetchChannel } from '../../src/observe/channel.ts';
import { fetchRelease } from '../../src/observe/release.ts';
import { openSource } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

type Keys = ReturnType<typeof makeKeys>;
const [first, second, third] = [makeKeys(), makeKeys(), makeKeys()];
const idOf = ({ publicKey }: Keys): string => parsePublicKey(publicKey).keyId;
let folder: string;
let workspace: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  await mkdir(workspace);
  await describeProduct(first);
});

async function describeProduct({ publicKey }: Keys, more = ''): Promise<void> {
  const hosts = `local: { type: folder, path: ${join(folder, 'local')} }, mirror: { type: folder, path: ${join(folder, 'mirror')} }`;
  const settings = `  tag: v{version}\n  publicKey: ${publicKey}\n${more}  hosts: { ${hosts} }\n  publishTo: [local, mirror]`;
  await writeFile(join(workspace, 'slipway.yaml'), `schema: 1\nproduct: acme\nrelease:\n${settings}\n`);
}

async function run(
  command: Command,
  flags: Flags,
  { secrets = {}, positionals = [] as string[] }: { secrets?: Record<string, string>; positionals?: string[] } = {},
): Promise<CommandResult> {
  const world = quietWorld({ env: { PATH: process.env.PATH, ...secrets }, run: runProgram });
  const all = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: all, positionals, program: 'slipway', file: import.meta.filename });
}

async function release(version: string, signer: Keys): Promise<void> {
  await buildRelease({ workspace, version, keys: signer });
  await run(publish, { tag: `v${version}` }, { secrets: { SLIPWAY_SECRET_KEY: signer.secretKeyText } });
}

function rotate(from: Keys, to: Keys, flags: Flags = {}): Promise<CommandResult> {
  const secrets = { SLIPWAY_SECRET_KEY: from.secretKeyText, SLIPWAY_NEW_SECRET_KEY: to.secretKeyText };
  return run(keys, { reason: 'yearly rotation', ...flags }, { secrets, positionals: ['rotate'] });
}

/** What an install that trusts this key finds. */
function look(trust: Partial<Trust> & Pick<Trust, 'key'>, host = 'local'): Promise<FetchedChannel> {
  const source = openSource(join(folder, host), quietWorld());
  return fetchChannel({
    sources: [source],
    product: 'acme',
    channel: 'stable',
    trust: { signed: true, sequences: {}, ...trust },
    now: new Date(),
  });
}

const install = async (found: FetchedChannel, version: string): Promise<string> => {
  const wanted = found.channel.releases.find((each) => each.version === version);
  if (wanted === undefined) throw new Error(`no ${version}`);
  const cache = await mkdtemp(join(tmpdir(), 'slipway-'));
  return (await fetchRelease({ source: found.source, release: wanted, product: 'acme', trust: found.trust, cache })).manifest.version;
};

/** Puts a statement and its signature onto the first host, and does nothing else. */
async function plant(signer: Keys, parts: Partial<{ product: string; old: string; new: string; subject: string }> = {}): Promise<void> {
  const statement = {
    ...{
      type: KEY_TYPE as typeof KEY_TYPE,
      product: 'acme',
      old: first.publicKey,
      new: second.publicKey,
      issued: '2026-03-15T10:00:00Z',
      reason: null,
    },
    ...(parts.product === undefined ? {} : { product: parts.product }),
    ...(parts.old === undefined ? {} : { old: parts.old }),
    ...(parts.new === undefined ? {} : { new: parts.new }),
  } as const;
  const text = printKeyStatement(statement);
  const subject = parts.subject ?? idOf(first);
  const signed = { role: 'key', product: statement.product, subject, content: Buffer.from(text) } as const;
  await mkdir(join(folder, 'local/keys'), { recursive: true });
  await writeFile(join(folder, 'local/keys', `${idOf(first)}.json`), text);
  await writeFile(join(folder, 'local/keys', `${idOf(first)}.json.minisig`), signStatement(signed, parseSecretKey(signer.secretKeyText)));
}

describe('a product that changes its key', () => {
  test('tells every host at once, and installs follow and remember both keys', async () => {
    await release('1.0.0', first);
    expect((await rotate(first, second)).fields).toMatchObject({ from: idOf(first), to: idOf(second), outcome: 'rotated' });
    for (const host of ['local', 'mirror']) {
      const { trust } = await look({ key: first.publicKey }, host);
      expect(trust).toMatchObject({ key: second.publicKey, former: [first.publicKey] });
    }
    await describeProduct(second);
    await release('1.1.0', second);
    const found = await look({ key: first.publicKey, sequences: { [`${idOf(first)}/stable`]: 1 } });
    expect(found.channel).toMatchObject({ latest: '1.1.0', sequence: 3 });
    expect(found.trust.sequences).toEqual({ [`${idOf(first)}/stable`]: 1, [`${idOf(second)}/stable`]: 3 });
    expect(await install(found, '1.1.0')).toBe('1.1.0');
    expect(await install(found, '1.0.0')).toBe('1.0.0'); // signed by the former key
  });

  test('is followed over two changes by an install that slept through both', async () => {
    await release('1.0.0', first);
    await rotate(first, second);
    await describeProduct(second);
    await rotate(second, third);
    await describeProduct(third);
    await release('1.1.0', third);
    const found = await look({ key: first.publicKey });
    expect(found.trust).toMatchObject({ key: third.publicKey, former: [first.publicKey, second.publicKey] });
    expect(await install(found, '1.0.0')).toBe('1.0.0');
  });

  test('shows the plan first, and does nothing the second time', async () => {
    await release('1.0.0', first);
    const { fields } = await rotate(first, second, { plan: true });
    const kinds = (fields.plan as { steps: { kind: string }[] }).steps.map(({ kind }) => kind);
    expect(kinds).toEqual(['put-texts', 'edit-channel', 'put-texts', 'mirror-channel']);
    expect((await look({ key: first.publicKey })).trust.key).toBe(first.publicKey);
    await rotate(first, second);
    expect((await rotate(first, second)).fields.outcome).toBe('unchanged');
  });

  test('ends the change that was cut off before the channel was signed', async () => {
    await release('1.0.0', first);
    await plant(first);
    await expect(look({ key: first.publicKey })).rejects.toMatchObject({ code: 'E_SIGNATURE' }); // for this moment
    await rotate(first, second);
    expect((await look({ key: first.publicKey }, 'mirror')).trust.key).toBe(second.publicKey);
  });

  test('ends at a mirror what could not be written there the first time; until then the mirror is as it was', async () => {
    await release('1.0.0', first);
    await writeFile(join(folder, 'mirror/keys'), 'in the way');
    await expect(rotate(first, second)).rejects.toThrow();
    expect((await look({ key: first.publicKey }, 'local')).trust.key).toBe(second.publicKey);
    await rm(join(folder, 'mirror/keys'));
    expect((await look({ key: first.publicKey }, 'mirror')).trust.key).toBe(first.publicKey);
    expect((await rotate(first, second)).fields.outcome).toBe('rotated');
    expect((await look({ key: first.publicKey }, 'mirror')).trust.key).toBe(second.publicKey);
  });

  test('signs what a mirror still shows by the old key, though the deciding host was done before', async () => {
    await release('1.0.0', first);
    await rotate(first, second, { to: ['local'] });
    await cp(join(folder, 'local/keys'), join(folder, 'mirror/keys'), { recursive: true });
    expect((await rotate(first, second)).fields.outcome).toBe('rotated');
    expect((await look({ key: first.publicKey }, 'mirror')).trust.key).toBe(second.publicKey);
    await describeProduct(second);
    await release('1.1.0', second);
    expect((await look({ key: first.publicKey }, 'mirror')).channel.latest).toBe('1.1.0');
  });

  test('is ended from another machine when the signature was not written any more', async () => {
    await release('1.0.0', first);
    await rotate(first, second, { to: ['local'] });
    await rm(join(folder, 'local/keys', `${idOf(first)}.json.minisig`));
    await rotate(first, second);
    for (const host of ['local', 'mirror']) expect((await look({ key: first.publicKey }, host)).trust.key).toBe(second.publicKey);
  });

  test('never signs a statement that somebody else put there', async () => {
    await release('1.0.0', first);
    await plant(second);
    await expect(rotate(first, second)).rejects.toMatchObject({ code: 'E_SIGNATURE' });
    await rm(join(folder, 'local/keys', `${idOf(first)}.json.minisig`));
    const file = join(folder, 'local/keys', `${idOf(first)}.json`);
    await writeFile(file, (await readFile(file, 'utf8')).replace('{', '{"and":"more",'));
    await expect(rotate(first, second)).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
  });

  test('may write its keys with the comment line of a .pub file', async () => {
    const withComment = (key: string): string => `"untrusted comment: minisign public key\\n${key}"`;
    await describeProduct({ ...first, publicKey: withComment(first.publicKey) }, `  nextPublicKey: ${withComment(second.publicKey)}\n`);
    expect((await rotate(first, second)).fields.outcome).toBe('rotated');
    await expect(rotate(first, first)).rejects.toMatchObject({ code: 'E_CONFIG' });
  });

  test('cannot name two keys as the next one', async () => {
    await release('1.0.0', first);
    await rotate(first, second);
    await expect(rotate(first, third)).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    expect((await look({ key: first.publicKey })).trust.key).toBe(second.publicKey);
  });

  test('that announced another key is told, and so is one without a new key', async () => {
    await describeProduct(first, `  nextPublicKey: ${third.publicKey}\n`);
    await expect(rotate(first, second)).rejects.toMatchObject({ code: 'E_CONFIG', message: expect.stringContaining('nextPublicKey') });
    const secrets = { SLIPWAY_SECRET_KEY: first.secretKeyText };
    await expect(run(keys, {}, { secrets, positionals: ['rotate'] })).rejects.toMatchObject({
      code: 'E_CONFIG',
      hint: expect.stringContaining('SLIPWAY_NEW_SECRET_KEY'),
    });
  });

  test('writes a statement that minisign itself verifies', async () => {
    await release('1.0.0', first);
    await rotate(first, second);
    const file = join(folder, 'local/keys', `${idOf(first)}.json`);
    const said = execFileSync('minisign', ['-Vm', file, '-P', first.publicKey], { encoding: 'utf8' });
    expect(said).toContain(`slipway key acme ${idOf(first)}`);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ type: KEY_TYPE, reason: 'yearly rotation' });
  });
});

describe('verify over a change of keys', () => {
  const statement = (): string => join(folder, 'local/keys', `${idOf(first)}.json`);
  const archive = (version: string): string => join(folder, 'local/releases', `v${version}`, `acme-bundle-${version}.tar.gz`);
  const check = (...positionals: string[]): Promise<CommandResult> => run(verify, { key: first.publicKey }, { positionals });

  beforeEach(async () => {
    await release('1.0.0', first);
    await rotate(first, second);
    await describeProduct(second);
    await release('1.1.0', second);
  });

  test('takes files of both keys after the statement that leads from one to the other, and not before it', async () => {
    const { fields } = await check(statement(), archive('1.0.0'), archive('1.1.0'), join(folder, 'local/channels/stable.signed.json'));
    expect((fields.files as { key: string }[]).map(({ key }) => key)).toEqual([first, first, second, second].map(idOf));
    await expect(check(archive('1.1.0'), statement())).rejects.toMatchObject({ code: 'E_SIGNATURE' });
  });

  test('follows no statement that is not genuine, and none of another product', async () => {
    await plant(second);
    await expect(check(statement(), archive('1.1.0'))).rejects.toMatchObject({ code: 'E_SIGNATURE' });
    await plant(first, { product: 'other' });
    await expect(check(statement(), archive('1.1.0'))).rejects.toMatchObject({
      code: 'E_WRONG_PRODUCT',
      message: expect.stringContaining('acme-bundle-1.1.0.tar.gz: it is of acme'),
    });
  });
});

describe('an install refuses', () => {
  beforeEach(() => release('1.0.0', first));

  test.each<[string, () => Promise<void>, string]>([
    ['a statement by the key that would profit', () => plant(second), 'E_SIGNATURE'],
    ['a statement of another product', () => plant(first, { product: 'other' }), 'E_WRONG_PRODUCT'],
    ['a statement for another key', () => plant(first, { subject: idOf(third) }), 'E_SIGNATURE'],
    ['a statement that says another old key', () => plant(first, { old: third.publicKey }), 'E_FORMAT'],
    ['a statement that leads to itself', () => plant(first, { new: first.publicKey }), 'E_FORMAT'],
  ])('%s', async (_, prepare, code) => {
    await prepare();
    await expect(look({ key: first.publicKey })).rejects.toMatchObject({ code });
  });

  test('a statement whose text was changed', async () => {
    await plant(first);
    const file = join(folder, 'local/keys', `${idOf(first)}.json`);
    await writeFile(file, (await readFile(file, 'utf8')).replace(second.publicKey, third.publicKey));
    await expect(look({ key: first.publicKey })).rejects.toMatchObject({ code: 'E_SIGNATURE' });
  });

  test('a statement without its signature', async () => {
    await plant(first);
    await rm(join(folder, 'local/keys', `${idOf(first)}.json.minisig`));
    await expect(look({ key: first.publicKey })).rejects.toMatchObject({ code: 'E_UNSIGNED', hint: expect.stringContaining('Try again') });
  });

  test('keys that lead in a circle', async () => {
    await plant(first);
    const back = printKeyStatement({
      ...{ type: KEY_TYPE, product: 'acme', old: second.publicKey, new: first.publicKey },
      ...{ issued: '2026-03-15T10:00:00Z', reason: null },
    });
    const signed = { role: 'key', product: 'acme', subject: idOf(second), content: Buffer.from(back) } as const;
    await writeFile(join(folder, 'local/keys', `${idOf(second)}.json`), back);
    await writeFile(
      join(folder, 'local/keys', `${idOf(second)}.json.minisig`),
      signStatement(signed, parseSecretKey(second.secretKeyText)),
    );
    await expect(look({ key: first.publicKey })).rejects.toMatchObject({
      code: 'E_FORMAT',
      message: expect.stringContaining('without end'),
    });
  });

  test('an older state by a newer key', async () => {
    await rotate(first, second);
    const seen = { [`${idOf(first)}/stable`]: 7 };
    await expect(look({ key: first.publicKey, sequences: seen })).rejects.toMatchObject({ code: 'E_OLDER_SEQUENCE' });
    await expect(look({ key: second.publicKey, former: [first.publicKey], sequences: seen })).rejects.toMatchObject({
      code: 'E_OLDER_SEQUENCE',
      details: { sequence: 2, seen: 7 },
    });
    await expect(look({ key: second.publicKey, sequences: seen })).resolves.toMatchObject({ channel: { sequence: 2 } }); // a person's decision forgets that chain
  });

  test('what the former key signs once the statement was followed', async () => {
    await plant(first);
    await expect(look({ key: first.publicKey })).rejects.toMatchObject({ code: 'E_SIGNATURE' });
  });

  test('nothing of a product that is not signed, whatever lies there', async () => {
    await plant(first);
    await expect(look({ key: null, signed: false })).resolves.toMatchObject({ trust: { key: null } });
  });
});
