// Handlebars at pack time, strict: what a template names must exist. Rule: no escaping, no prototypes, no partials; every problem has a file and a line.
import Handlebars from 'handlebars';
import { ToolError } from './error.ts';
import { didYouMean } from './near.ts';

export interface TemplateInput {
  readonly text: string;
  /** The template's path, for errors. */
  readonly file: string;
  /** What `{{name}}` may name: version, product, title, values, … Plain data. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Pinned references by image name, for `{{image "api"}}`. */
  readonly images: ReadonlyMap<string, string>;
}

type Path = hbs.AST.PathExpression;
/** Any node of a parsed template; which fields it has depends on its type. */
type Node = hbs.AST.Node & { readonly path?: Partial<Path>; readonly params?: readonly unknown[]; readonly hash?: hbs.AST.Hash };
type Fail = (line: number | undefined, message: string, hint: string) => never;

const HELPERS = ['image', 'if', 'unless', 'each', 'with', 'lookup'];
const LOOP_VALUES = ['root', 'index', 'key', 'first', 'last'];
const UNSUPPORTED = /^(Partial|Decorator)/;

/** Renders a template. Throws E_TEMPLATE with file, line and hint for a syntax error, a missing value and an unknown helper or image. */
export function renderTemplate({ text, file, data, images }: TemplateInput): string {
  const fail: Fail = (line = 1, message, hint) => {
    throw new ToolError('E_TEMPLATE', `${file}:${line}: ${message}`, { hint, details: { file, line } });
  };
  try {
    const program = Handlebars.parse(text);
    const nodes = [...nodesOf(program)];
    for (const node of nodes) checkNode(node, fail);
    const engine = Handlebars.create();
    engine.registerHelper('image', imageHelper(images, fail));
    const template = engine.compile(program, {
      noEscape: true,
      knownHelpers: { image: true } as Record<string, boolean>,
      knownHelpersOnly: true,
    });
    return template(strictData(data, nodes, fail));
  } catch (error) {
    if (error instanceof ToolError) throw error;
    const { line, message } = syntaxProblem(error);
    return fail(line, message, 'Correct the template; its language is Handlebars.');
  }
}

/** Refuses what has no place in a template: unknown helpers (anything with arguments), partials, decorators, unknown `@values`. */
function checkNode(node: Node, fail: Fail): void {
  const line = node.loc.start.line;
  if (UNSUPPORTED.test(node.type)) fail(line, 'partials and decorators are not supported', 'Write the text into this template.');
  const name = node.path?.original ?? '';
  const hasArguments = (node.params ?? []).length > 0 || (node.hash?.pairs ?? []).length > 0;
  if (hasArguments && !HELPERS.includes(name)) fail(line, `unknown helper ${JSON.stringify(name)}`, didYouMean(name, HELPERS, 'Helpers'));
  const path = node as unknown as Path;
  if (node.type !== 'PathExpression' || !path.data || LOOP_VALUES.includes(String(path.parts[0]))) return;
  fail(line, `unknown value ${path.original}`, `Known here: ${LOOP_VALUES.map((each) => `@${each}`).join(', ')}.`);
}

function imageHelper(images: TemplateInput['images'], fail: Fail): (...args: readonly unknown[]) => string {
  return (...args) => {
    const [name, options] = args;
    const line = (options as { readonly loc?: hbs.AST.SourceLocation } | undefined)?.loc?.start.line;
    if (typeof name !== 'string') return fail(line, '{{image}} needs the name of an image', 'Write {{image "name"}}.');
    const unknown = (): never => fail(line, `unknown image ${JSON.stringify(name)}`, didYouMean(name, [...images.keys()], 'Images'));
    return images.get(name) ?? unknown();
  };
}

/** The data, but whoever asks it for something that is not there fails, be it in text, a condition or an argument. */
function strictData(value: unknown, nodes: readonly Node[], fail: Fail): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === 'symbol') return undefined;
      const found = Object.hasOwn(target, key) ? (target as Record<string, unknown>)[key] : undefined;
      if (found !== undefined && found !== null && typeof found !== 'function') return strictData(found, nodes, fail);
      if (key === 'toString' || key === 'valueOf')
        return fail(undefined, 'a group of values cannot be written', `It holds: ${Object.keys(target).join(', ')}.`);
      const user = nodes.find((node) => node.type === 'PathExpression' && (node as unknown as Path).parts.some((part) => part === key));
      return fail(user?.loc.start.line, `unknown value ${JSON.stringify(key)}`, didYouMean(key, Object.keys(target)));
    },
  });
}

function* nodesOf(value: unknown): Generator<Node> {
  if (typeof value !== 'object' || value === null) return;
  if ('type' in value && 'loc' in value) yield value as Node;
  for (const part of Object.values(value)) yield* nodesOf(part);
}

/** Handlebars names the line in `lineNumber`, or only in its text. */
function syntaxProblem(error: unknown): { readonly line: number; readonly message: string } {
  const text = error instanceof Error ? error.message : String(error);
  const line = (error as { readonly lineNumber?: number }).lineNumber ?? Number(/ on line (\d+)/.exec(text)?.[1] ?? 1);
  const last = text.split('\n').at(-1) ?? '';
  return { line, message: /^Parse error/.test(text) ? `syntax error: ${last}` : (text.split('\n')[0] ?? '') };
}
