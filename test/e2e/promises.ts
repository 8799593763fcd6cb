// What must hold after any cut: exactly the old state or exactly the new one. Rule: compared by digests and rows, not by what a command says of itself.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Installed, must, runningImages } from './stage.ts';

export interface Snapshot {
  readonly version: string;
  readonly files: Readonly<Record<string, string>>;
  readonly images: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly schema: string;
  readonly notes: string;
}

/** The state of an install: files (ours of .slipway left out), running images, volumes, schema and rows. */
export async function takeSnapshot(installed: Installed): Promise<Snapshot> {
  const record = JSON.parse(await readFile(join(installed.root, '.slipway/install.json'), 'utf8')) as { version: string };
  const volumes = (
    await must(['docker', 'volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=${installed.project}`])
  ).stdout.trim();
  return {
    version: record.version,
    files: await filesBelow(installed.root),
    images: await runningImages(installed.project),
    volumes: volumes.split('\n').sort(),
    schema: (await installed.dump()).replace(/^COPY public\.notes[\s\S]*?^\\\.$/m, '').replace(/^SELECT pg_catalog\.setval.*$/gm, ''),
    notes: await installed.sql("select string_agg(id || ':' || text, ',' order by id) from notes"),
  };
}

/** Leftovers that no ended operation may leave: one-off containers, scratch projects, temporary files, an open journal. */
export async function leftovers(installed: Installed): Promise<string[]> {
  const containers = (await must(['docker', 'ps', '-a', '--format', '{{.Names}}'])).stdout
    .split('\n')
    .filter((name) => /slipway-copy|run-job|-check-/.test(name));
  const networks = (await must(['docker', 'network', 'ls', '--format', '{{.Name}}'])).stdout
    .split('\n')
    .filter((name) => name.includes(`${installed.project}-check`));
  const files = Object.keys(await filesBelow(installed.root)).filter(
    (path) => path.includes('.slipway-new') || path.includes('.slipway-aside'),
  );
  const journal = existsSync(join(installed.root, '.slipway/journal.ndjson')) ? ['journal.ndjson'] : [];
  const staged = existsSync(join(installed.root, '.slipway/staged'))
    ? (await readdir(join(installed.root, '.slipway/staged'))).map((name) => `staged/${name}`)
    : [];
  return [...containers, ...networks, ...files, ...journal, ...staged];
}

/** Path → digest of every file below a folder, without what is ours. */
export async function filesBelow(root: string, below = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (path === '.slipway') continue;
    if (entry.isDirectory()) Object.assign(found, await filesBelow(root, path));
    else
      found[path] = createHash('sha256')
        .update(await readFile(join(root, path)))
        .digest('hex');
  }
  return found;
}
