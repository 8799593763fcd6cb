// Uploads the files of a folder to a release host and publishes them, as one process that is measured from outside.
// Given no folder it is the forge instead: a fake GitHub, whose address it prints.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestFromHex, digestOf } from '../../src/model/digest.ts';
import { contentsOf, type HostAddress } from '../../src/model/host.ts';
import { RESERVATION_TYPE } from '../../src/model/reservation.ts';
import { openHost } from '../../src/world/hosts.ts';
import { quietWorld } from '../../test/fakes/release-builder.ts';

interface Task {
  readonly folder: string;
  readonly address: HostAddress;
  readonly tag: string;
  readonly commit: string;
}

async function measure(folder: string, name: string): Promise<ChannelAsset> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(join(folder, name)) as AsyncIterable<Buffer>) hash.update(chunk);
  return { name, size: (await stat(join(folder, name))).size, sha256: digestFromHex(hash.digest('hex')) };
}

async function publish({ folder, address, tag, commit }: Task): Promise<void> {
  const host = openHost(address, quietWorld({ env: process.env }));
  const assets: ChannelAsset[] = [];
  for (const name of await readdir(folder)) assets.push(await measure(folder, name));
  const fixed = { type: RESERVATION_TYPE, product: 'bench', version: tag, by: 'bench', nonce: digestOf(tag) } as const;
  if (address.type !== 'oci') await host.reserve({ ...fixed, tag, commit, at: '2026-03-15T10:00:00Z' });
  const draft = { tag, name: tag, contents: contentsOf(assets) };
  await host.openDraft(draft);
  for (const asset of assets) await host.upload(draft, asset, { from: join(folder, asset.name) });
  await host.publish(draft, { assets, latest: true, prerelease: false, title: tag, notes: tag, replaces: null });
}

async function serve(): Promise<void> {
  const { startGithub } = await import('../../test/fakes/github.ts');
  const { FIRST } = await import('../../test/fakes/gitea-stage.ts');
  const github = await startGithub();
  github.state.commits.add(FIRST);
  process.stdout.write(`${JSON.stringify({ address: github.address, commit: FIRST })}\n`);
}

const task = process.env.PUBLISH_TASK;
await (task === undefined ? serve() : publish(JSON.parse(task) as Task));
