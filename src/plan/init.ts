// Decides what `init` asks and writes. Rule: new files only; whatever is there already stops everything before the first write.
import { stringify } from 'yaml';
import { FORGES } from '../model/ci-rules.ts';
import type { Variable } from '../model/description.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { canonicalJson } from '../model/json.ts';
import type { Content, FileToWrite, Planned, Step } from '../model/plan.ts';
import { renderTemplate } from '../model/template.ts';

/** What the answers are called. */
export type StarterAnswers = ReadonlyMap<string, string>;

export interface NewFile {
  readonly path: string;
  readonly text: string;
  /** Default 0644. */
  readonly mode?: number;
}

export interface InitWanted {
  readonly id: string;
  /** True where our own folder was there before: it stays. */
  readonly hasState: boolean;
  readonly files: readonly NewFile[];
  /** Those of `files` that exist. */
  readonly present: readonly string[];
  readonly notes: readonly string[];
}

const IGNORE_FILE = '.gitignore';
const PRODUCT_TEMPLATE = 'slipway.yaml.hbs';
const STAGED = '.slipway/staged/init';

/** What is known before anybody is asked. */
export interface InitQuestions {
  /** The product's name unless somebody says otherwise; empty when nothing tells. */
  readonly product: string;
  /** True when there are own images, and nothing says where they are pushed. */
  readonly needsRegistry: boolean;
  /** True when workflows are written. */
  readonly hasWorkflows: boolean;
}

const FORGE_QUESTION: Variable = {
  ask: 'The forge that checks and releases it',
  help: 'Its workflows are written at once; `slipway ci generate` brings them up to date. It may be changed in slipway.yaml later.',
  type: 'choice',
  choices: [...FORGES, 'none'],
  default: 'github',
};

/** The questions of `init`, in the words of a product's own settings. */
export function initQuestions({ product, needsRegistry, hasWorkflows }: InitQuestions): Readonly<Record<string, Variable>> {
  return {
    PRODUCT: {
      ask: 'The product in one short word',
      help: 'It names the folder and the compose project of every install, so it never changes: lower-case letters, digits and -.',
      pattern: '^[a-z][a-z0-9-]{0,62}$',
      required: true,
      ...(product === '' ? {} : { default: product }),
    },
    TITLE: { ask: 'Its title, for people', required: true, default: '{{PRODUCT}}' },
    REGISTRY: {
      ask: 'The registry that installs pull images from',
      help: 'Such as registry.example.com/acme. Without one, third-party images come from where they are published.',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]*(?:/[a-z0-9._-]+)*$',
      ...(needsRegistry ? { required: true } : { default: '' }),
    },
    URL: {
      ask: 'The address where a web server will show the releases',
      help: 'Such as https://releases.example.com. It may be added to slipway.yaml later.',
      type: 'url',
      default: '',
    },
    ...(hasWorkflows ? { FORGE: FORGE_QUESTION } : {}),
  };
}

/** The files of a product that packs, publishes and installs as it is. `templates` is by path. Throws E_TEMPLATE. */
export function starterFiles(answers: StarterAnswers, templates: ReadonlyMap<string, string>): NewFile[] {
  const answer = (name: string): string => answers.get(name) ?? '';
  const data = {
    product: answer('PRODUCT'),
    titleYaml: yamlText(answer('TITLE')),
    registry: answer('REGISTRY'),
    registryYaml: yamlText(answer('REGISTRY')),
    url: answer('URL'),
    urlYaml: yamlText(answer('URL')),
    forge: FORGES.find((each) => each === answer('FORGE')) ?? '',
  };
  return [...templates].map(([path, text]) => {
    if (path === 'gitignore') return { path: IGNORE_FILE, text };
    if (path !== PRODUCT_TEMPLATE) return { path, text };
    return { path: 'slipway.yaml', text: renderTemplate({ text, file: path, data, images: new Map() }) };
  });
}

/** The plan that writes them. Throws E_CONFLICT naming every file that is in the way; a .gitignore that is there stays as it is. */
export function planNewFiles({ id, hasState, files, present, notes }: InitWanted): Planned {
  const taken = present.filter((path) => path !== IGNORE_FILE);
  if (taken.length > 0) throw inTheWay(taken);
  const isIgnoring = present.includes(IGNORE_FILE);
  const written = files.filter(({ path }) => !present.includes(path));
  const contents = new Map(written.map(({ text }): [Digest, Content] => [digestOf(text), { text }]));
  const all: FileToWrite[] = written.map(({ path, text, mode = 0o644 }) => ({ path, content: digestOf(text), mode }));
  const steps: Step[] = [
    { kind: 'stage-files', why: 'all files are ready before the first appears', to: STAGED, files: all },
    { kind: 'swap-files', why: 'the product appears, each file at once', from: STAGED, files: all },
  ];
  const ignore = files.find(({ path }) => path === IGNORE_FILE)?.text ?? '';
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'init',
    basedOn: initBasis(present),
    steps,
    commitAfter: steps.length - 1,
    ...(hasState ? {} : ({ fresh: 'state', leaves: 'nothing' } as const)),
    notes: [...notes, ...(isIgnoring ? [`.gitignore stays as it is; it should name ${ignoredNames(ignore)}.`] : [])],
  } as const;
  return { plan, contents };
}

/** What the decisions rest on: that these of the files exist, and no others. */
export function initBasis(present: readonly string[]): Digest {
  return digestOf(canonicalJson({ present: [...present].sort() }));
}

/** A name as products may have it, made from a folder's; empty when nothing is left of it. */
export function slugOf(name: string): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  return plain
    .replace(/^[^a-z]+/, '')
    .slice(0, 63)
    .replace(/-+$/, '');
}

/** A text as one YAML value in one line. */
export function yamlText(text: string): string {
  return stringify(text, {
    lineWidth: 0,
    defaultStringType: /[,[\]{}"'\n&*!|>%@`]|: |:$| #|^[-?#]/.test(text) ? 'QUOTE_DOUBLE' : 'PLAIN',
  }).trimEnd();
}

function ignoredNames(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .join(', ');
}

function inTheWay(paths: readonly string[]): ToolError {
  return new ToolError('E_CONFLICT', `${paths.join(', ')} ${paths.length === 1 ? 'exists' : 'exist'} already`, {
    hint: 'Nothing is overwritten: move it away, or name another folder with --dir.',
    details: { files: paths },
  });
}
