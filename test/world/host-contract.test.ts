// One contract for every kind of release host.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderHost } from '../../src/world/folder.ts';
import { FIRST as GITEA_FIRST, SECOND as GITEA_SECOND, giteaStage } from '../fakes/gitea-stage.ts';
import { FIRST, githubStage, SECOND } from '../fakes/github-stage.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { hostContract } from './host-contract.ts';

hostContract('a folder', async () => {
  const packed = await mkdtemp(join(tmpdir(), 'slipway-'));
  const root = join(packed, '../', `${packed.split('/').pop()}-host`);
  return { host: () => folderHost(root, quietWorld()), commits: ['1'.repeat(40), '2'.repeat(40)], packed, close: async () => {} };
});

hostContract('Gitea', async () => {
  const stage = await giteaStage();
  return { host: () => stage.host(), commits: [GITEA_FIRST, GITEA_SECOND], packed: stage.packed, close: () => stage.gitea.close() };
});

hostContract('GitHub', async () => {
  const stage = await githubStage();
  return { host: () => stage.host(), commits: [FIRST, SECOND], packed: stage.packed, close: () => stage.github.close() };
});
