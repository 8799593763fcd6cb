// support-bundle: one file for whoever helps. Rule: what cannot be read is said in it, and no secret leaves, not even from a broken install.
import { resolve } from 'node:path';
import { writeSupport } from '../../apply/write-support.ts';
import { envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { ContainerFact, InstallFacts } from '../../model/facts.ts';
import { prettyJson } from '../../model/json.ts';
import { momentOf } from '../../model/parse.ts';
import { MAIN_ENV } from '../../model/settings.ts';
import { sizeToText } from '../../model/units.ts';
import { observeContainers } from '../../observe/engine.ts';
import { observeInstallAsIs, readRecord, readText } from '../../observe/install.ts';
import { observeJournals, observeLog, observeRawSettings, observeSystem, observeTree } from '../../observe/support.ts';
import { assembleSupport, pathsInTree, secretsInTree, secretsOf, settingsToText } from '../../plan/support.ts';
import { type Command, type CommandResult, type Context, type FlagTable, refusePositionals, textFlag } from '../command.ts';
import { examine } from './examine.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  out: { type: 'string', value: 'FILE', help: 'the archive to make; by default in the present folder' },
  lines: { type: 'string', value: 'N', help: 'lines of each log (2000)' },
} as const satisfies FlagTable;

export const supportBundle: Command = {
  name: 'support-bundle',
  summary: 'Logs, versions, configuration and history in one file, without secrets.',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const { world, flags } = context;
  const root = findInstall(context);
  const lines = linesOf(textFlag(flags, 'lines') ?? '2000');
  const now = world.now();
  const { texts, install, secrets, product } = await gather(context, root, lines);
  const title = install?.manifest.title ?? product;
  const { files, removals } = assembleSupport({ texts, secrets, made: momentOf(now), title });
  const top = `${product}-support-${momentOf(now).replace(/[-:]/g, '').replace('T', '-').replace('Z', '')}`;
  const out = resolve(textFlag(flags, 'out') ?? `${top}.tar.gz`);
  const size = await writeSupport({ out, top, files, made: now });
  return {
    fields: { file: out, size, files: [...files.keys()], removed: removals },
    text: `${out} (${sizeToText(size)}): ${files.size} files\n${removals.reduce((sum, { count }) => sum + count, 0)} places with secrets were removed; README.txt in it lists them. Look through it before you give it away.\n`,
  };
}

interface Gathered {
  readonly texts: ReadonlyMap<string, string>;
  readonly install: InstallFacts | undefined;
  readonly secrets: ReturnType<typeof secretsOf>;
  readonly product: string;
}

/** Everything that can be had; what cannot is a line of problems.txt. */
async function gather(context: Context, root: string, lines: number): Promise<Gathered> {
  const { world } = context;
  const texts = new Map<string, string>();
  const problems: string[] = [];
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
      problems.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const install = await attempt('install', () => observeInstallAsIs(root));
  const record = await attempt('install.json', () => readRecord(root));
  const settings = install === undefined ? ((await attempt('env files', () => observeRawSettings(root))) ?? new Map()) : valuesOf(install);
  const declared = install?.manifest.env ?? {}; // without a manifest every value is a secret
  const trees = await Promise.all(['docker-compose.yml', 'docker-compose.override.yml'].map((path) => observeTree(root, path)));
  const containers = (record && (await attempt('containers', () => observeContainers(world, root, record.project)))) ?? [];
  texts.set(
    'versions.json',
    prettyJson({ operator: context.program, product: record?.product, version: record?.version, ...(await observeSystem()) }),
  );
  const findings = await attempt('doctor', () => examine(context, root));
  if (findings !== undefined) texts.set('doctor.json', prettyJson(findings));
  if (record !== undefined)
    texts.set('install.json', prettyJson({ ...record, secrets: Object.keys(record.secrets), network: Object.keys(record.network ?? {}) }));
  for (const [path, values] of settings) texts.set(path === '.env' ? 'env.txt' : `env/${path}.txt`, settingsToText(values, declared));
  const compose = await readText(`${root}/docker-compose.yml`);
  if (compose !== undefined) texts.set('docker-compose.yml', compose);
  if (trees[1] !== undefined) texts.set('override-names.txt', `${pathsInTree(trees[1]).join('\n')}\n`);
  texts.set('containers.json', prettyJson(containers));
  for (const each of containers) {
    const log = await attempt(`log of ${each.name}`, () => observeLog(world, each, lines));
    if (log !== undefined) texts.set(`logs/${logName(each)}`, log);
  }
  for (const [name, text] of (await attempt('journals', () => observeJournals(root))) ?? []) texts.set(name, text);
  if (problems.length > 0) texts.set('problems.txt', `${problems.join('\n')}\n`);
  return {
    texts,
    install,
    secrets: [...[...settings.values()].flatMap((values) => secretsOf(values, declared)), ...trees.flatMap((tree) => secretsInTree(tree))],
    product: record?.product ?? 'install',
  };
}

type Values = ReadonlyMap<string, string>;

/** The values of each env file, by its path; those of services' own files see the values of `.env`. */
function valuesOf({ settings, env }: InstallFacts): ReadonlyMap<string, Values> {
  const around = Object.fromEntries(envValues(env));
  return new Map([...settings].map(([path, file]) => [path, path === MAIN_ENV ? envValues(file) : envValues(file, around)]));
}

function logName({ name }: ContainerFact): string {
  return `${name.replace(/[^A-Za-z0-9_.-]/g, '_')}.log`;
}

function linesOf(text: string): number {
  const lines = Number(text);
  if (Number.isSafeInteger(lines) && lines >= 0 && lines <= 1_000_000) return lines;
  throw new ToolError('E_USAGE', `--lines ${text} is not a number of lines`, { hint: 'Write a whole number, such as --lines 5000.' });
}
