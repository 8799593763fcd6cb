// An install folder, read. Rule: nothing is changed here, and what the folder says is parsed before it is believed.
import { join, resolve } from 'node:path';
import { digestOf } from '../model/digest.ts';
import { type EnvFile, envValue } from '../model/env-file.ts';
import { ToolError } from '../model/error.ts';
import type { FileFact, InstallFacts } from '../model/facts.ts';
import { withRenderedFiles } from '../model/host-file.ts';
import { type InstallRecord, parseInstall } from '../model/install.ts';
import { lockPath, pristineFolder, recordPath } from '../model/layout.ts';
import { type Manifest, parseManifest } from '../model/manifest.ts';
import { releaseOnSite } from '../model/mixed.ts';
import type { ComposeProject } from '../model/plan.ts';
import { documentOf, homesOf, MAIN_ENV, settingsValues } from '../model/settings.ts';
import { siteRegistry } from '../model/site-registry.ts';
import { factOfFile, readTextIfThere, statIfThere } from '../world/disk.ts';
import { limitTo } from '../world/limit.ts';
import { readLock, readOpenOperation } from '../world/state.ts';
import { observeSettings } from './settings.ts';

const FILES_AT_ONCE = 8;

/**
 * Reads the install at `root`: its record, the manifest of its release, its `.env` and the files of that release and of `also`.
 * Throws E_NO_INSTALL where there is none (any more), E_POLICY for one that was moved, E_FORMAT or E_DIGEST for a damaged one.
 */
export async function observeInstall(root: string, also: readonly string[] = []): Promise<InstallFacts> {
  const record = await readRecord(root);
  if (record !== undefined) {
    refuseMoved(root, record.folder);
    refuseUninstalled(root, record);
  }
  return observeInstallAsIs(root, also);
}

/** The same for one that may have been moved or uninstalled. */
export async function observeInstallAsIs(root: string, also: readonly string[] = []): Promise<InstallFacts> {
  const record = await readRecord(root);
  if (record === undefined) {
    throw new ToolError('E_NO_INSTALL', `${root} is not an install`, { hint: 'Name the folder with --dir, or install first.' });
  }
  const manifestPath = join(root, pristineFolder(record.version), 'bundle.json');
  const manifestText = (await readTextIfThere(manifestPath)) ?? '';
  if (digestOf(manifestText) !== record.manifest) {
    throw new ToolError('E_DIGEST', `${manifestPath} is not the manifest that was installed`, {
      hint: 'Put it back from a backup; it is the base of every comparison.',
    });
  }
  const signed = withRenderedFiles(parseManifest(manifestText, manifestPath), record.rendered);
  const settings = await observeSettings(root, homesOf(signed.env));
  const registry = siteRegistry(signed, settingsValues(settings, signed.env), record.registry);
  const isShipped = registry === null && record.mixed === undefined;
  const compose = isShipped ? '' : await readShippedCompose(root, signed);
  const { manifest, shipped } = releaseOnSite(signed, compose, { ...record, registry });
  const env = documentOf(settings, MAIN_ENV);
  const paths = new Set([...pathsOf(manifest), ...also]);
  return {
    root,
    record,
    manifest,
    manifestText,
    ...(isShipped ? {} : { shipped }),
    project: await observeProject(root, record.project, env),
    env,
    settings,
    files: await observeFiles(root, [...paths]),
    openOperation: await readOpenOperation(root),
    lock: await readLock(lockPath(root)),
  };
}

/** The compose file of the installed release before images were re-homed; after a restore only the one in use is there, which comes to the same. */
export async function readShippedCompose(root: string, { version }: Pick<Manifest, 'version'>): Promise<string> {
  const name = 'docker-compose.yml';
  return (await readTextIfThere(join(root, pristineFolder(version), name))) ?? (await readTextIfThere(join(root, name))) ?? '';
}

/** The record of an install, or undefined where there is none. */
export async function readRecord(root: string): Promise<InstallRecord | undefined> {
  const text = await readTextIfThere(recordPath(root));
  return text === undefined ? undefined : parseInstall(text, recordPath(root));
}

/** The text of a file, or undefined where there is none. */
export async function readText(path: string): Promise<string | undefined> {
  return readTextIfThere(path);
}

/** True when something lies at this path. */
export async function isThere(path: string): Promise<boolean> {
  return (await statIfThere(path)) !== undefined;
}

/** The compose files as a call by hand in this folder would use them: a person's COMPOSE_FILE, else the file and its override. */
export async function observeProject(root: string, name: string, env: EnvFile): Promise<ComposeProject> {
  const chosen = envValue(env, 'COMPOSE_FILE');
  if (chosen !== undefined && chosen !== '') {
    return { name, folder: '.', files: chosen.split(envValue(env, 'COMPOSE_PATH_SEPARATOR') || ':') };
  }
  const override = 'docker-compose.override.yml';
  const files = (await statIfThere(join(root, override))) === undefined ? [] : [override];
  return { name, folder: '.', files: ['docker-compose.yml', ...files] };
}

/** The same install with these files, too. */
export async function observeAlso(install: InstallFacts, paths: readonly string[]): Promise<InstallFacts> {
  const others = paths.filter((path) => !install.files.has(path));
  return { ...install, files: new Map([...install.files, ...(await observeFiles(install.root, others))]) };
}

/** Digest and mode of each of these files that exists. */
export async function observeFiles(root: string, paths: readonly string[]): Promise<Map<string, FileFact>> {
  const limit = limitTo(FILES_AT_ONCE);
  const facts = await Promise.all(paths.map((path) => limit(() => factOfFile(join(root, path)))));
  return new Map(paths.flatMap((path, index) => (facts[index] === undefined ? [] : [[path, facts[index]]])));
}

/** All paths a release puts into the install, its manifest, signature and env files included. */
export function pathsOf(manifest: Manifest): string[] {
  return [
    ...manifest.files.map((file) => file.path),
    ...(manifest.hostFiles ?? []).map((file) => file.path),
    'bundle.json',
    'bundle.json.minisig',
    ...homesOf(manifest.env),
    'docker-compose.override.yml',
  ];
}

/** Throws E_POLICY for a folder that was moved or copied. Volumes and secrets belong to one folder: a copy that ran beside its original would share them. */
export function refuseMoved(root: string, recorded: string): void {
  if (resolve(root) === resolve(recorded)) return;
  throw new ToolError('E_POLICY', `this install was made at ${recorded}, but is at ${resolve(root)} now: moved, or a copy?`, {
    hint: `If it was moved: \`relocate\`, or move it back to ${recorded}. A copy must not be started beside its original: they would share volumes.`,
  });
}

function refuseUninstalled(root: string, { uninstalled, product, version }: InstallRecord): void {
  if (uninstalled === undefined) return;
  throw new ToolError(
    'E_NO_INSTALL',
    `${product} ${version} was uninstalled from ${root} at ${uninstalled}; its data and settings are kept`,
    {
      hint: 'Install it into this folder again to take them up, or remove them too: `uninstall --purge-data`.',
    },
  );
}
