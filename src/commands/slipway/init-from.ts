// init --from: a product from a compose project that is there. Rule: the project itself stays as it is; what only a person can decide is told with its line, and ends in exit 2.
import { dirname, join, posix, relative, resolve } from 'node:path';
import { digestOf } from '../../model/digest.ts';
import { type EnvFile, envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import { type Problem, sortProblems } from '../../model/problem.ts';
import { readYaml } from '../../model/yaml-file.ts';
import { observeEnvFile, observeKinds, observeText } from '../../observe/compose-source.ts';
import { observePresent } from '../../observe/new-files.ts';
import { readStarter } from '../../observe/own-files.ts';
import { flattenCompose } from '../../plan/compose-flatten.ts';
import { type InitQuestions, type NewFile, planNewFiles, type StarterAnswers, slugOf, starterFiles } from '../../plan/init.ts';
import {
  COMPOSE_TEMPLATE,
  type Proposal,
  projectName,
  proposalEnvFiles,
  proposalPaths,
  proposeProduct,
} from '../../plan/propose-product.ts';
import { countProblems, problemsToText } from '../../show/problems.ts';
import { type CommandResult, type Context, isPlanOnly, textFlag, textFlags } from '../command.ts';
import { assess, inspectProduct } from './inspect.ts';
import { writeNewFiles } from './new-files.ts';
import { DEFAULT_OUT } from './own-folders.ts';
import { hasErrors, problemsError } from './problems.ts';
import { ANY_RELEASE } from './product-file.ts';

const MOST_FILES = 100;

export type Ask = (questions: InitQuestions) => Promise<StarterAnswers>;

/** Reads the project, asks what it does not say, and writes slipway.yaml and the compose template. Throws E_CONFIG with what is left to decide. */
export async function initFrom(context: Context, root: string, ask: Ask): Promise<CommandResult> {
  const templates = await readStarter(context.file, context.world.env);
  const ignore = starterFiles(new Map(), templates).filter(({ path }) => path === '.gitignore');
  const paths = ['slipway.yaml', COMPOSE_TEMPLATE];
  planNewFiles({ id: '', hasState: true, files: [], present: await observePresent(root, paths), notes: [] });
  const propose = await readSource(context, root);
  const folder = slugOf(posix.basename(root));
  const first = propose(new Map());
  const answers = await ask({ product: first.name ?? folder, needsRegistry: first.needsRegistry, hasWorkflows: false });
  const { files, reviews, problems } = propose(answers);
  const made: NewFile[] = [...files, ...ignore];
  const notes = [...reviews, ...problems.map(({ message }) => `to decide: ${message}`)];
  const result = await writeNewFiles(context, root, { files: made, notes, next: '', fields: { reviews } });
  if (isPlanOnly(context)) return { ...result, fields: { ...result.fields, problems } };
  return judged(context, root, { result, problems });
}

interface Source extends Proposal {
  readonly name: string | undefined;
}

/** Everything that the proposal rests on; the answer makes one, as often as it is asked. */
async function readSource(context: Context, root: string): Promise<(answers: StarterAnswers) => Source> {
  const named = textFlags(context.flags, 'from').map((name) => relative(root, resolve(name)));
  const [file = ''] = named;
  const texts = await readAll(root, named);
  const { document, problems } = flattenCompose(named, texts);
  if (hasErrors(problems)) throw problemsError(problems, context);
  const env = await readEnv(context, root, file);
  const values = env === undefined ? new Map<string, string>() : envValues(env);
  const kinds = await observeKinds(root, proposalPaths(document, values));
  const envFiles = new Map<string, EnvFile | undefined>();
  for (const path of proposalEnvFiles(document)) envFiles.set(path, await observeEnvFile(root, path));
  const { lines } = readYaml(texts.get(file) ?? '', file).source;
  return (answers) => {
    const fresh = flattenCompose(named, texts).document; // a proposal changes its document
    const answer = (name: string): string => answers.get(name) ?? '';
    const registry = answer('REGISTRY') === '' ? undefined : answer('REGISTRY');
    const product = answer('PRODUCT') || 'product';
    const input = { document: fresh, file, lines, main: env, values, envFiles, kinds };
    const name = projectName(document);
    return { ...proposeProduct({ ...input, product, title: answer('TITLE') || product, registry, url: answer('URL') }), name };
  };
}

/** The files, and those that they include or extend. Throws E_CONFIG for one that is not there. */
async function readAll(root: string, named: readonly string[]): Promise<Map<string, string | null>> {
  const texts = new Map<string, string | null>();
  for (const name of named) {
    const text = name.startsWith('..') ? null : await observeText(root, name);
    texts.set(name, text);
    if (text !== null) continue;
    throw new ToolError('E_CONFIG', `there is no file ${name} in the product's folder`, {
      hint: 'Name a compose file with --from, and the folder above it with --dir.',
    });
  }
  for (;;) {
    const { missing } = flattenCompose(named, texts);
    if (missing.length === 0) return texts;
    if (texts.size > MOST_FILES)
      throw new ToolError('E_TOO_LARGE', `more than ${MOST_FILES} files`, { hint: 'Is this the right project?' });
    for (const name of missing) texts.set(name, name.startsWith('..') ? null : await observeText(root, name));
  }
}

/** --env, else the example beside the compose file, else its `.env`. */
async function readEnv(context: Context, root: string, file: string): Promise<EnvFile | undefined> {
  const named = textFlag(context.flags, 'env');
  if (named === undefined) return observeEnvFile(root, posix.join(posix.dirname(file), '.env'));
  const env = await observeEnvFile(dirname(resolve(named)), posix.basename(named));
  if (env !== undefined) return env;
  throw new ToolError('E_CONFIG', `there is no ${named}`, { hint: 'Name the example of the env file with --env.' });
}

/** What `slipway check` says of it now, and what it cannot say. */
async function judged(
  context: Context,
  root: string,
  { result, problems: own }: { readonly result: CommandResult; readonly problems: readonly Problem[] },
): Promise<CommandResult> {
  const config = join(relative('', root), 'slipway.yaml');
  const inspection = await inspectProduct({ ...context, flags: { config } }, DEFAULT_OUT);
  const operator = { file: '', size: 0, sha256: digestOf('') }; // nothing is packed
  const problems = sortProblems([...own, ...assess(inspection, { release: ANY_RELEASE, operator }).problems]);
  const fields = { ...result.fields, problems };
  if (!hasErrors(problems)) {
    const text = `${problems.length === 0 ? '' : problemsToText(problems)}${result.text}Next: look at what slipway.yaml marks with "review", then \`slipway check\`, and \`slipway ci generate\` for its workflows.\n`;
    return { fields, text };
  }
  context.world.terminal.err(result.text);
  context.world.terminal.err(problemsToText(problems));
  const [first] = problems.filter(({ severity }) => severity === 'error');
  throw new ToolError('E_CONFIG', `written, but ${countProblems(problems)} left to decide; the first: ${first?.message}`, {
    hint: `${first?.hint ?? ''} \`slipway check\` tells what is left.`,
    details: fields,
  });
}
