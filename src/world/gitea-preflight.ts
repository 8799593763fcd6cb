// What would stop a release on Gitea. Rule: asked before the first write, and nothing here changes anything.
import { isToolError } from '../model/error.ts';
import type { HostProblem, ReleaseWanted } from '../model/host.ts';
import { type Fields, parseFields, parseList, parseText } from '../model/parse.ts';
import { sizeToText } from '../model/units.ts';
import { tokenMissing } from './forge-refusal.ts';
import { type Gitea, getFrom } from './gitea-api.ts';

const MEBIBYTE = 1024 * 1024;

/** The problems. Throws E_NOT_FOUND or E_AUTH when the repository cannot be seen at all. */
export async function giteaProblems(gitea: Gitea, wanted: ReleaseWanted): Promise<readonly HostProblem[]> {
  const repository = parseFields((await gitea.forge.call({ path: gitea.path })).body, gitea.name);
  const closed = stateProblems(gitea, repository);
  const access = await accessProblems(gitea, repository);
  const commit = await commitProblems(gitea, wanted);
  const sizes = await sizeProblems(gitea, wanted);
  const tags = access.length > 0 ? [] : await tagProblems(gitea, repository, wanted);
  return [...closed, ...access, ...commit, ...sizes, ...tags];
}

function stateProblems({ name, page, advice }: Gitea, repository: Fields): readonly HostProblem[] {
  const what = `${name}: ${advice.repository}`;
  const found: (HostProblem | false)[] = [
    repository.archived === true && error(`${what} is archived`, `Unarchive it at ${page}/settings.`),
    repository.empty === true && error(`${what} is empty`, 'Push the branch that releases come from.'),
    repository.mirror === true && error(`${what} is a mirror, which nobody can write to`, 'Publish to the repository that it mirrors.'),
    repository.has_releases === false && error(`${what} has releases switched off`, `Switch them on at ${page}/settings.`),
  ];
  return found.filter((problem) => problem !== false);
}

/** Whether the token may write: by the permissions shown, then by deleting a release that cannot be, for a token's scopes are shown nowhere. */
async function accessProblems(gitea: Gitea, repository: Fields): Promise<readonly HostProblem[]> {
  const { forge, name, advice, path } = gitea;
  if (!advice.isSet) return [problemOf(tokenMissing(name, advice))];
  const permissions =
    typeof repository.permissions === 'object' && repository.permissions !== null ? (repository.permissions as Fields) : {};
  if (permissions.push === false) {
    return [
      error(`${name}: the user of the token in $${advice.variable} may not write to ${advice.repository}`, 'Give that user write access.'),
    ];
  }
  try {
    await forge.call({ method: 'DELETE', path: `${path}/releases/0`, answers: [404, 422, 423] });
    return [];
  } catch (refused) {
    if (isToolError(refused, 'E_AUTH')) return [problemOf(refused)];
    throw refused;
  }
}

async function commitProblems(gitea: Gitea, { commit }: ReleaseWanted): Promise<readonly HostProblem[]> {
  if (commit === null) return [];
  const found = await getFrom(gitea, `git/commits/${encodeURIComponent(commit)}?stat=false&verification=false&files=false`);
  if (found !== undefined) return [];
  return [error(`${gitea.name} does not know the commit ${commit}`, 'Push it there first.')];
}

/** Until 1.25 one limit holds for all attachments; later servers may have one for releases, which they do not show. */
async function sizeProblems({ forge, name }: Gitea, { assets }: ReleaseWanted): Promise<readonly HostProblem[]> {
  const { status, body } = await forge.call({ path: 'settings/attachment', answers: [404] });
  if (status === 404) return [];
  const { enabled, max_size: limit } = parseFields(body, `${name}: settings`);
  if (enabled === false) return [error(`${name} has attachments switched off`, 'Set ENABLED in [attachment] of the server.')];
  const large = typeof limit === 'number' && limit > 0 ? assets.filter(({ size }) => size > limit * MEBIBYTE) : [];
  if (large.length === 0) return [];
  const severity = (await hasReleaseLimit(forge)) ? 'warning' : 'error';
  const hint =
    'Raise MAX_SIZE in [attachment] of the server, or FILE_MAX_SIZE in [repository.release] from 1.26 on; and the limit of a proxy before it.';
  return large.map((asset) => ({
    severity,
    message: `${name} takes attachments of at most ${sizeToText(Number(limit) * MEBIBYTE)}, and ${asset.name} has ${sizeToText(asset.size)}`,
    hint,
  }));
}

async function hasReleaseLimit(forge: Gitea['forge']): Promise<boolean> {
  const { body } = await forge.call({ path: 'version', answers: [404] });
  const version = /^1\.(\d+)/.exec(String(parseFields(body ?? {}, 'version').version ?? ''))?.[1];
  return version !== undefined && Number(version) >= 26;
}

/** Rules that keep the tag from being made; only administrators are shown them. */
async function tagProblems(gitea: Gitea, repository: Fields, { tag }: ReleaseWanted): Promise<readonly HostProblem[]> {
  const isAdmin = (repository.permissions as Fields | undefined)?.admin === true;
  if (!isAdmin || (await getFrom(gitea, `tags/${encodeURIComponent(tag)}`)) !== undefined) return [];
  const { status, body } = await gitea.forge.call({ path: `${gitea.path}/tag_protections`, answers: [404] });
  const rules = status === 404 ? [] : parseList(body, `${gitea.name}: tag_protections`, parseFields);
  const matching = rules.filter((rule) => matches(parseText(rule.name_pattern, 'name_pattern'), tag));
  if (matching.length === 0) return [];
  const user = await userOf(gitea);
  const allowed = matching.flatMap(({ whitelist_usernames: names }) => (Array.isArray(names) ? names : []));
  if (user !== undefined && allowed.includes(user)) return [];
  const hint = `Let the user of the token in $${gitea.advice.variable} make such tags: ${gitea.page}/settings/tags.`;
  const byTeam = matching.some(({ whitelist_teams: teams }) => Array.isArray(teams) && teams.length > 0);
  const severity = user === undefined || byTeam ? 'warning' : 'error';
  return [{ severity, message: `${gitea.name}: tags such as ${tag} are protected`, hint }];
}

/** The token's user, or undefined when the token may not say. */
async function userOf({ forge }: Gitea): Promise<string | undefined> {
  try {
    const { login } = parseFields((await forge.call({ path: 'user' })).body, 'user');
    return typeof login === 'string' ? login : undefined;
  } catch (error) {
    if (isToolError(error, 'E_AUTH')) return undefined;
    throw error;
  }
}

/** A glob, or a regular expression between slashes; one that we cannot read counts as fitting. */
function matches(pattern: string, tag: string): boolean {
  const inner = /^\/(.*)\/$/.exec(pattern)?.[1];
  const glob = pattern
    .replace(/[\\^$.+()|[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  try {
    return new RegExp(inner ?? `^${glob}$`, 'i').test(tag);
  } catch {
    return true;
  }
}

function error(message: string, hint: string): HostProblem {
  return { severity: 'error', message, hint };
}

function problemOf({ message, hint = '' }: { readonly message: string; readonly hint: string | undefined }): HostProblem {
  return error(message, hint);
}
