// init: a product that packs, publishes and installs at once, new or from a compose project. Rule: new files only; nothing is asked before it is sure that none of them is there already.
import { basename, join, resolve } from 'node:path';
import { collectAnswers } from '../../ask/ask.ts';
import { generateWorkflows, sourceOf } from '../../ci/generate.ts';
import { FORGES } from '../../model/ci-rules.ts';
import { readProduct } from '../../model/product.ts';
import { observePresent } from '../../observe/new-files.ts';
import { readScripts, readStarter } from '../../observe/own-files.ts';
import { observeRepositoryAround } from '../../observe/workflows.ts';
import { readProductText } from '../../observe/workspace.ts';
import { type InitQuestions, initQuestions, planNewFiles, type StarterAnswers, slugOf, starterFiles } from '../../plan/init.ts';
import { type ScriptFiles, scriptFiles } from '../../plan/scripts.ts';
import {
  CHANGING_FLAGS,
  type Command,
  type CommandResult,
  type Context,
  isSet,
  refusePositionals,
  textFlag,
  textFlags,
} from '../command.ts';
import { answerSources } from '../operator/answers.ts';
import { endEarlier } from './earlier.ts';
import { initFrom } from './init-from.ts';
import { writeNewFiles } from './new-files.ts';

/** Flags that are answers. */
const ANSWER_FLAGS = { product: 'PRODUCT', title: 'TITLE', registry: 'REGISTRY', url: 'URL', forge: 'FORGE' } as const;

export const init: Command = {
  name: 'init',
  summary: 'a product to begin with',
  flags: {
    from: { type: 'string', value: 'FILE', multiple: true, help: 'an existing compose file; further ones override it' },
    env: { type: 'string', value: 'FILE', help: 'with --from: the example of .env (default: .env.example beside it)' },
    dir: { type: 'string', value: 'DIR', help: 'the folder of the product (default: this one)' },
    product: { type: 'string', value: 'NAME', help: 'its name (default: that of the folder)' },
    title: { type: 'string', value: 'TEXT', help: 'its title, for people' },
    registry: { type: 'string', value: 'REGISTRY', help: 'the registry that installs pull images from' },
    url: { type: 'string', value: 'URL', help: 'the address where a web server will show the releases' },
    forge: { type: 'string', value: 'F', help: 'whose workflows are written: github, gitea or none (default: github)' },
    scripts: { type: 'boolean', help: 'thin scripts/*.sh for those who know them; in a product that is there, these alone' },
    set: { type: 'string', value: 'NAME=VALUE', multiple: true, help: 'one answer' },
    answers: { type: 'string', value: 'FILE', help: 'answers in .env syntax' },
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    const root = resolve(textFlag(context.flags, 'dir') ?? '.');
    await endEarlier(root, context, 'init');
    const isThere = (await observePresent(root, ['slipway.yaml'])).length > 0;
    if (isSet(context.flags, 'scripts') && isThere) return writeScripts(context, root);
    if (textFlags(context.flags, 'from').length > 0) return initFrom(context, root, (questions) => askAbout(context, questions));
    return writeStarter(context, root);
  },
};

async function writeStarter(context: Context, root: string): Promise<CommandResult> {
  const templates = await readStarter(context.file, context.world.env);
  const paths = starterFiles(new Map(), templates).map(({ path }) => path);
  planNewFiles({ id: '', hasState: true, files: [], present: await observePresent(root, paths), notes: [] });
  const above = await observeRepositoryAround(root, context.world);
  const hasWorkflows = above === undefined;
  const answers = await askAbout(context, { product: slugOf(basename(root)), needsRegistry: false, hasWorkflows });
  const starter = starterFiles(answers, templates);
  const text = starter.find(({ path }) => path === 'slipway.yaml')?.text ?? '';
  const product = readProduct(text, 'slipway.yaml');
  const scripts = isSet(context.flags, 'scripts') ? scriptFiles(product, await readScripts(context.file, context.world.env)) : NO_SCRIPTS;
  const forge = hasWorkflows ? FORGES.find((each) => each === answers.get('FORGE')) : undefined;
  const workflows = forge === undefined ? [] : generateWorkflows({ product, forge, folder: '', source: sourceOf('slipway.yaml', text) });
  const notes = hasWorkflows ? [] : [`Workflows belong to the top of the repository, ${above}: \`slipway ci generate\` writes them there.`];
  return writeNewFiles(context, root, {
    files: [...starter, ...workflows, ...scripts.files],
    notes: [...notes, ...scripts.notes],
    next: nextSteps(root),
  });
}

const NO_SCRIPTS: ScriptFiles = { files: [], notes: [] };

/** The scripts alone, for a product that is there. */
async function writeScripts(context: Context, root: string): Promise<CommandResult> {
  const { text, name } = await readProductText(join(root, 'slipway.yaml'));
  const { files, notes } = scriptFiles(readProduct(text, name), await readScripts(context.file, context.world.env));
  return writeNewFiles(context, root, { files, notes, next: 'Next: git add scripts\n' });
}

/** The answers of flags, environment, file and person; with --yes what is left takes its default. */
async function askAbout(context: Context, questions: InitQuestions): Promise<StarterAnswers> {
  const { flags, world } = context;
  const sources = await answerSources(context);
  const given = Object.entries(ANSWER_FLAGS).flatMap(([flag, name]): [string, string][] => {
    const value = textFlag(flags, flag);
    return value === undefined ? [] : [[name, value]];
  });
  const interactive = world.terminal.interactive && !isSet(flags, 'yes');
  const { values } = await collectAnswers({
    env: initQuestions(questions),
    features: {},
    sources: { ...sources, flags: new Map([...sources.flags, ...given]) },
    terminal: { ...world.terminal, interactive },
  });
  return values;
}

function nextSteps(root: string): string {
  const go = root === resolve('.') ? '' : `cd ${root} && `;
  return [
    'Next:',
    `  ${go}git init && slipway keys new   # the public key goes into slipway.yaml`,
    '  slipway images lock              # digests of the images, to be committed',
    '  npm init -y && npm install --save-dev slipway   # the workflows run exactly this version',
    '  slipway ci generate              # after each change of slipway.yaml',
    "  git add -A && git commit -m 'The first release' && git tag v0.1.0",
    '  slipway pack --key slipway.key && slipway publish --key slipway.key',
    '',
  ].join('\n');
}
