// Decides how several repositories get the same tag. Rule: on all of them, or on none; one that has another commit under it stops everything before the first write.
import { digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type HostAddress, publicLocation } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Step } from '../model/plan.ts';

export interface RepositoryAddress {
  /** As `release.repositories` names it. */
  readonly name: string;
  /** What git takes. */
  readonly url: string;
  /** The name of the environment variable with a token. */
  readonly token?: string;
}

/** What a repository shows before anything is written. */
export interface RepositoryFacts {
  readonly address: RepositoryAddress;
  /** True when a person said which commit; otherwise it is that of the default branch, which moves on. */
  readonly isNamed: boolean;
  /** The commit that is to be tagged; undefined when it could not be found. */
  readonly commit: string | undefined;
  /** The commit that has the tag already. */
  readonly tagged: string | undefined;
  /** What stands in the way. */
  readonly problem: ToolError | undefined;
}

export interface TagAllWanted {
  readonly id: string;
  readonly product: string;
  readonly version: string;
  readonly tag: string;
  /** Now, in RFC 3339. */
  readonly at: string;
}

/** Where a repository is: `owner/name` is on the authority's forge, else on the first forge that the product names. Throws E_CONFIG. */
export function resolveRepository(name: string, authority: HostAddress, hosts: readonly HostAddress[]): RepositoryAddress {
  if (/^\w+:\/\/[^/]*:[^/]*@/.test(name)) {
    throw new ToolError('E_CONFIG', 'release.repositories: a password does not belong into the product file', {
      hint: 'Leave it out: git has its own credentials.',
    });
  }
  if (!/^[A-Za-z0-9][\w.-]*\/[\w.-]+$/.test(name)) return { name, url: name };
  const forge = [authority, ...hosts].find(({ type }) => type === 'github' || type === 'gitea' || type === 'git');
  const url = forge === undefined ? undefined : siblingOf(forge, name);
  if (forge === undefined || url === undefined) {
    throw new ToolError('E_CONFIG', `release.repositories: nothing says on which forge ${name} is`, {
      hint: 'Write its whole address, or name a github, gitea or git host under release.hosts.',
    });
  }
  return 'token' in forge && forge.token !== undefined ? { name, url, token: forge.token } : { name, url };
}

/** The plan; without steps when all repositories have the tag. Throws E_RESERVED_ELSEWHERE, or E_PREFLIGHT with everything that stands in the way. */
export function planTagAll(wanted: TagAllWanted, facts: readonly RepositoryFacts[]): Planned {
  refuseProblems(wanted.tag, facts);
  const names = facts.map(({ address }) => address.name);
  const lacking = facts.filter(({ tagged }) => tagged === undefined);
  const repositories = lacking.map(({ address, commit = '' }) => ({ ...address, commit, object: tagObject(wanted, commit, names) }));
  const on = repositories.map(({ name, commit }) => `${name} on ${commit.slice(0, 12)}`).join(', ');
  const step: Step = { kind: 'tag-repositories', why: `${wanted.tag} names what belongs together: ${on}`, tag: wanted.tag, repositories };
  const there = facts
    .filter(({ tagged }) => tagged !== undefined)
    .map(({ address }) => `${address.name} has ${wanted.tag} already, on the same commit.`);
  const plan = {
    schema: 1,
    id: wanted.id,
    operation: wanted.id,
    command: 'tag-all',
    basedOn: digestOf(canonicalJson({ tag: wanted.tag, names })), // who has the tag is decided there, when it is pushed
    steps: repositories.length > 0 ? [step] : [],
    commitAfter: 0,
    notes: there,
  } as const;
  return { plan, contents: new Map() };
}

/** A repository beside this one on the same server. */
function siblingOf(host: HostAddress, name: string): string | undefined {
  if (host.type === 'github' || host.type === 'gitea') return `${publicLocation({ ...host, repository: name })}.git`;
  const [, before, suffix = ''] = host.type === 'git' ? (/^(.*[/:])[^/:]+\/[^/:]+?(\.git)?\/?$/.exec(host.url) ?? []) : [];
  return before === undefined ? undefined : `${before}${name}${suffix}`;
}

function refuseProblems(tag: string, facts: readonly RepositoryFacts[]): void {
  const isComplete = facts.every(({ tagged }) => tagged !== undefined);
  const other = facts.filter(({ tagged, commit, isNamed }) => tagged !== undefined && tagged !== commit && (isNamed || !isComplete));
  const problems = facts.flatMap(({ address, problem }) =>
    problem === undefined ? [] : [{ repository: address.name, message: problem.message, hint: problem.hint ?? '' }],
  );
  const taken = other.map(({ address, tagged, commit }) => ({
    repository: address.name,
    message: `${tag} is on ${tagged}, and not on ${commit ?? 'the commit that is wanted'}`,
    hint: 'Name that commit with --at REPOSITORY=COMMIT if it is right, or take another version.',
  }));
  const all = [...taken, ...problems];
  const [first] = all;
  if (first === undefined) return;
  const message = `nothing was tagged: ${all.map((each) => `${each.repository}: ${each.message}`).join('\n  ')}`;
  throw new ToolError(taken.length > 0 ? 'E_RESERVED_ELSEWHERE' : 'E_PREFLIGHT', message, {
    hint: first.hint,
    details: { tag, problems: all },
  });
}

/** An annotated tag, as git stores it (git-mktag(1)). */
function tagObject({ product, version, tag, at, id }: TagAllWanted, commit: string, names: readonly string[]): string {
  const seconds = Math.floor(Date.parse(at) / 1000);
  const head = `object ${commit}\ntype commit\ntag ${tag}\ntagger slipway <noreply@slipway.invalid> ${seconds} +0000\n`;
  return `${head}\n${product} ${version}\n\nThe same tag is on ${names.join(', ')}.\n\nnonce: ${id}\n`;
}
