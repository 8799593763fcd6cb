// What GitHub's own rules and limits would stop: tag rulesets, and the requests that are left this hour. Rule: a rule that cannot be read is no rule; the write itself tells.
import { isToolError } from '../model/error.ts';
import { expressionOf } from '../model/glob.ts';
import type { HostProblem, ReleaseWanted } from '../model/host.ts';
import { type Fields, parseFields } from '../model/parse.ts';
import { type Github, readIfThere } from './github-api.ts';

/** Requests of one asset (look, upload, look again), and of all the rest. */
const PER_ASSET = 3;
const REST = 60;
/** Longer is not waited for. Milliseconds. */
const LONGEST_WAIT = 15 * 60 * 1000;

/** Asking costs nothing; a server without limits answers 404. docs.github.com/rest/rate-limit */
export async function rateProblems(github: Github, { assets }: ReleaseWanted): Promise<readonly HostProblem[]> {
  const { status, body } = await github.forge.call({ path: 'rate_limit', answers: [403, 404] });
  if (status >= 300) return [];
  const { remaining, reset } = fieldsIn(fieldsIn(fieldsIn(body).resources).core);
  const needed = REST + PER_ASSET * assets.length;
  if (typeof remaining !== 'number' || typeof reset !== 'number' || remaining >= needed) return [];
  const wait = reset * 1000 - github.world.now().getTime();
  const until = new Date(reset * 1000).toISOString();
  return [
    {
      severity: wait > LONGEST_WAIT ? 'error' : 'warning',
      message: `${github.name}: the token has ${remaining} requests left until ${until}, and publishing takes about ${needed}`,
      hint: 'Publish after that, or with another token.',
    },
  ];
}

/** Rulesets that forbid this token to make the tag, unless it is there. docs.github.com/rest/repos/rules */
export async function tagRuleProblems(github: Github, tag: string): Promise<readonly HostProblem[]> {
  if ((await readIfThere(github, `git/ref/tags/${encodeURIComponent(tag)}`)) !== undefined) return [];
  const problems: HostProblem[] = [];
  for (const { id, target, enforcement } of await rulesets(github)) {
    if (target !== 'tag' || enforcement !== 'active' || typeof id !== 'number') continue;
    const { status, body } = await github.forge.call({ path: `${github.path}/rulesets/${id}`, answers: [403, 404] });
    if (status < 300 && forbids(fieldsIn(body), tag)) problems.push(ruleProblem(github, fieldsIn(body), tag));
  }
  return problems;
}

async function rulesets({ forge, path }: Github): Promise<readonly Fields[]> {
  try {
    return (await forge.list(`${path}/rulesets?targets=tag&per_page=100`)).map((each) => parseFields(each, 'ruleset'));
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND') || isToolError(error, 'E_AUTH')) return [];
    throw error;
  }
}

function forbids({ rules, conditions, current_user_can_bypass: bypass }: Fields, tag: string): boolean {
  if (bypass === 'always' || bypass === 'exempt') return false;
  const creation = Array.isArray(rules) && rules.some((rule) => fieldsIn(rule).type === 'creation');
  const { include, exclude } = fieldsIn(fieldsIn(conditions).ref_name);
  return creation && covers(include, tag) && !covers(exclude, tag);
}

/** Patterns as in `refs/tags/v*`, or `~ALL`. */
function covers(patterns: unknown, tag: string): boolean {
  const texts = Array.isArray(patterns) ? patterns.filter((each) => typeof each === 'string') : [];
  return texts.some((pattern) => pattern === '~ALL' || expressionOf(pattern).test(`refs/tags/${tag}`));
}

function ruleProblem({ name, web }: Github, { name: rule }: Fields, tag: string): HostProblem {
  return {
    severity: 'error',
    message: `${name}: the rule ${JSON.stringify(rule)} does not let this token make the tag ${tag}`,
    hint: `Look at ${web}/settings/rules, and let whoever publishes bypass it.`,
  };
}

function fieldsIn(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
