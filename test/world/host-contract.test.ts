// The contract suite on the hosts that need no other program. Rule: what differs between them is said here, and in no test.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderHost } from '../../src/world/folder.ts';
import { FIRST, giteaStage, SECOND } from '../fakes/gitea-stage.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { hostContract } from './host-contract.ts';

hostContract('a folder', async () => {
  const root = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'host');
  const host = () => folderHost(root, quietWorld());
  return { host, commit: '1'.repeat(40), other: '2'.repeat(40), canDecide: true, canPublish: true, close: async () => undefined };
});

hostContract('Gitea', async () => {
  const { host, gitea } = await giteaStage();
  return { host: () => host(), commit: FIRST, other: SECOND, canDecide: true, canPublish: true, close: gitea.close };
});
