// What would stop a release on GitHub, before the first write. Rule: only asks; what cannot be known is left to the write itself.
import type { HostProblem, ReleaseWanted } from '../model/host.ts';
import { parseFields } from '../model/parse.ts';
import { sizeToText } from '../model/units.ts';
import type { Github } from './github-api.ts';
import { keepsName, MOST_ASSET_BYTES } from './github-releases.ts';
import { rateProblems, tagRuleProblems } from './github-rules.ts';

const MOST_ASSETS = 1000;

/** All problems at once. Throws E_AUTH without a token, and E_NOT_FOUND for a repository that is not seen. */
export async function githubProblems(github: Github, wanted: ReleaseWanted): Promise<readonly HostProblem[]> {
  github.mayWrite();
  const { body, headers } = await github.forge.call({ path: github.path });
  const repository = parseFields(body, `${github.name}: ${github.path}`);
  return [
    ...repositoryProblems(github, repository),
    ...scopeProblems(github, headers['x-oauth-scopes'], repository.private === true),
    ...(await rateProblems(github, wanted)),
    ...(await tagRuleProblems(github, wanted.tag)),
    ...assetProblems(github, wanted),
    ...(await commitProblems(github, wanted, repository.default_branch)),
    ...(wanted.replace ? await immutableProblems(github) : []),
  ];
}

function repositoryProblems({ name, web }: Github, repository: Readonly<Record<string, unknown>>): readonly HostProblem[] {
  const { permissions, archived } = repository;
  const { push } = typeof permissions === 'object' && permissions !== null ? (permissions as Record<string, unknown>) : {};
  const mayPush =
    push === false ? [error(`${name}: the token may read ${web}, and not write`, 'Give it write access to the contents.')] : [];
  return archived === true ? [...mayPush, error(`${name}: ${web} is archived`, 'Unarchive it, or publish elsewhere.')] : mayPush;
}

/** Classic tokens name their scopes; the permissions above are those of the person, whatever the token may. */
function scopeProblems({ name }: Github, header: string | undefined, isPrivate: boolean): readonly HostProblem[] {
  if (header === undefined) return [];
  const scopes = header.split(',').map((scope) => scope.trim());
  if (scopes.includes('repo') || (!isPrivate && scopes.includes('public_repo'))) return [];
  const has = header === '' ? 'none' : header;
  return [error(`${name}: the token lacks the scope ${isPrivate ? 'repo' : 'public_repo'} (it has: ${has})`, 'Make one with that scope.')];
}

function assetProblems({ name }: Github, { assets }: ReleaseWanted): readonly HostProblem[] {
  const large = assets.filter(({ size }) => size > MOST_ASSET_BYTES);
  const renamed = assets.filter((asset) => !keepsName(asset.name));
  return [
    ...large.map((asset) =>
      error(`${asset.name} has ${sizeToText(asset.size)}, and GitHub takes less than 2 GiB`, 'Ship less in the bundle, or as an image.'),
    ),
    ...renamed.map((asset) =>
      error(`${name} would rename ${asset.name}`, 'Use letters, digits, ., - and _ in release.artifact and release.aliases.'),
    ),
    ...(assets.length > MOST_ASSETS ? [error(`a release on GitHub has at most ${MOST_ASSETS} files`, 'Ship fewer.')] : []),
  ];
}

/** The commit must be there; and a token without the right to workflows cannot tag one that changes them. */
async function commitProblems(github: Github, { commit }: ReleaseWanted, branch: unknown): Promise<readonly HostProblem[]> {
  if (commit === null) return [error('the release has no commit, and GitHub tags commits', 'Pack it in a git repository, from a commit.')];
  const found = await github.forge.call({ path: `${github.path}/git/commits/${commit}`, answers: [404, 409, 422] });
  if (found.status >= 300) return [error(`${github.name} does not know the commit ${commit}`, 'Push it there first.')];
  if (typeof branch !== 'string') return [];
  const compared = await github.forge.call({
    path: `${github.path}/compare/${encodeURIComponent(branch)}...${commit}?per_page=1`,
    answers: [404, 422],
  });
  const { files } = compared.status < 300 ? parseFields(compared.body, `${github.name}: compare`) : { files: [] };
  const names = Array.isArray(files) ? files.map((file) => String((file as Record<string, unknown>).filename)) : [];
  if (!names.some((name) => name.startsWith('.github/workflows/'))) return [];
  const message = `the commit changes workflows that ${branch} does not have yet, and GitHub lets only tokens with the right to workflows tag it`;
  return [{ severity: 'warning', message, hint: `Merge them into ${branch} first, or push the tag with git.` }];
}

/** 403 and 404 mean that the setting is off, or that this token may not see it. */
async function immutableProblems(github: Github): Promise<readonly HostProblem[]> {
  const { status, body } = await github.forge.call({ path: `${github.path}/immutable-releases`, answers: [403, 404] });
  if (status >= 300 || parseFields(body, 'immutable-releases').enabled !== true) return [];
  return [
    error(
      `${github.name} has immutable releases switched on: nothing published can be replaced`,
      'Publish the next version, and yank this one.',
    ),
  ];
}

function error(message: string, hint: string): HostProblem {
  return { severity: 'error', message, hint };
}
