// A Debian without Node.js, as a fresh folder, and ways to run programs in it. Rule: nothing of this machine is in it but the docker command and the stage's folder; no mount outlives a run.
import { chownSync, existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { must, type Ran, run } from './stage.ts';

/** What `scripts/bare-root.sh` made. */
export const CACHE = process.env.SLIPWAY_TEST_CACHE ?? '/var/tmp/slipway-test-cache';
export const RUNTIMES = join(CACHE, 'runtimes');

/** True when it was made; in CI it has to be, so that nothing is left out unseen. */
export function hasBareRoot(): boolean {
  return process.env.CI === 'true' || (existsSync(join(CACHE, 'root.tar')) && existsSync(join(CACHE, 'qemu')));
}

export interface RunThere {
  /** A numeric user and its home folder; root otherwise. */
  readonly user?: { readonly id: number; readonly home: string };
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export interface BareHost {
  readonly root: string;
  readonly run: (argv: readonly string[], options?: RunThere) => Promise<Ran>;
  /** An empty home folder of that user. */
  readonly makeHome: (id: number, home: string) => Promise<void>;
}

/** Unpacks the root below the stage's folder, which is at the same path inside: the engine sees the same paths. */
export async function openBareHost(stage: string): Promise<BareHost> {
  const root = join(stage, 'bare-host');
  const testbed = process.env.SLIPWAY_TESTBED ?? '/nowhere';
  await mkdir(root);
  await must(['tar', 'xf', join(CACHE, 'root.tar'), '-C', root]);
  const shared = [testbed, stage];
  for (const folder of shared) await mkdir(join(root, folder), { recursive: true });
  const mounts = [...shared.map((folder) => `mount --bind '${folder}' '${root}${folder}'`), `mount -t proc proc '${root}/proc'`];
  return {
    root,
    run: (argv, { user, env, input } = {}) => {
      const account = user === undefined ? '' : `--userspec=${user.id}:${user.id}`;
      const script = `${mounts.join(' && ')} && exec chroot ${account} '${root}' "$@"`;
      const own = {
        PATH: `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${testbed}/bin`,
        HOME: user?.home ?? '/root',
        DOCKER_CONFIG: `${testbed}/docker-config`,
        ...env,
      };
      const words = Object.entries(own).map(([name, value]) => `${name}=${value}`);
      return run(['unshare', '--mount', 'sh', '-c', script, 'sh', 'env', '-i', ...words, ...argv], input === undefined ? {} : { input });
    },
    makeHome: async (id, home) => {
      await mkdir(join(root, home), { recursive: true });
      chownSync(join(root, home), id, id);
    },
  };
}
