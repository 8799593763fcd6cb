// The contract suite on the folder host, which the others are modelled on. Rule: every kind of host runs it, each in its own test file.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderHost } from '../../src/world/folder.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { hostContract } from './host-contract.ts';

hostContract('a folder', async () => {
  const root = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'host');
  const host = () => folderHost(root, quietWorld());
  return { host, commit: 'a'.repeat(40), other: 'b'.repeat(40), canDecide: true, canPublish: true, close: async () => undefined };
});
