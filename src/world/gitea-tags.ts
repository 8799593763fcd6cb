// Reservations as annotated tags on Gitea. Rule: who won is read back from the tag; 409, 422 and 500 alone say nothing (packagers §2.5).
import { parseTag } from '../model/channel.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { momentOf, parseFields, parseText } from '../model/parse.ts';
import { parseReservation, printReservation, type Reservation } from '../model/reservation.ts';
import type { ForgeAnswer } from './forge.ts';
import { attempt, failureOf, type Gitea, getFrom, listFrom, needToken, pathOf, pause, saidBy } from './gitea-api.ts';
import { heldByDraft, releaseOf } from './gitea-row.ts';
import { foreignTag } from './github-tags.ts';

const MOST_TRIES = 5;

/** The reservation in force, or undefined. A tag made by hand counts as one for its commit. */
export async function readReservation(gitea: Gitea, tag: string): Promise<Reservation | undefined> {
  const body = await getFrom(gitea, `tags/${pathOf(parseTag(tag, 'tag'))}`);
  return body === undefined ? undefined : reservationIn(body, tag);
}

/** Reserves the tag unless somebody has; returns what is in force. */
export async function reserveTag(gitea: Gitea, wanted: Reservation): Promise<Reservation> {
  needToken(gitea);
  let tried: ForgeAnswer | ToolError | undefined;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const found = await readReservation(gitea, wanted.tag);
    if (found !== undefined) return found;
    if (tried !== undefined) await refuseIfSettled(gitea, wanted, tried);
    if (tries > 1) await pause(gitea, tries);
    tried = await makeTag(gitea, wanted);
  }
  const found = await readReservation(gitea, wanted.tag);
  if (found !== undefined) return found;
  throw failureOf(gitea, `making the tag ${wanted.tag}`, tried as ForgeAnswer | ToolError);
}

/** Gives the tag free when this very reservation is in force. Gitea itself keeps a tag that a draft or a release holds. */
export async function unreserveTag(gitea: Gitea, wanted: Reservation): Promise<void> {
  needToken(gitea);
  const found = await readReservation(gitea, wanted.tag);
  if (found?.nonce !== wanted.nonce || (await releaseOf(gitea, wanted.tag)) !== undefined) return;
  const tried = await attempt(gitea, { method: 'DELETE', path: `tags/${pathOf(wanted.tag)}`, answers: [404] });
  if (!(tried instanceof ToolError) && [204, 404, 409].includes(tried.status)) return;
  if ((await readReservation(gitea, wanted.tag))?.nonce === wanted.nonce) throw failureOf(gitea, `removing the tag ${wanted.tag}`, tried);
}

/** The names of all tags that begin with `prefix`. */
export async function tagsWith(gitea: Gitea, prefix: string): Promise<readonly string[]> {
  const all = (await listFrom(gitea, 'tags')).map((tag) => parseText(parseFields(tag, 'tag').name, 'tag.name'));
  return [...new Set(all)].filter((name) => name.startsWith(prefix)).sort();
}

async function makeTag(gitea: Gitea, wanted: Reservation): Promise<ForgeAnswer | ToolError> {
  const target = wanted.commit === null ? {} : { target: wanted.commit };
  const body = { tag_name: parseTag(wanted.tag, 'tag'), message: printReservation(wanted), ...target };
  return attempt(gitea, { method: 'POST', path: 'tags', body, answers: [404, 423] });
}

/** Throws for what another try cannot change: the tag is not there, and Gitea said why. */
async function refuseIfSettled(gitea: Gitea, wanted: Reservation, tried: ForgeAnswer | ToolError): Promise<void> {
  if (tried instanceof ToolError) return;
  const { status } = tried;
  if (status === 404) throw noCommit(gitea, wanted, tried);
  if (status === 422) throw refusedTag(gitea, wanted, tried);
  if (status === 423)
    throw new ToolError('E_CONFIG', `${gitea.name}: ${gitea.advice.repository} is archived`, {
      hint: `Unarchive it at ${gitea.page}/settings.`,
    });
  if (status === 409 && (await releaseOf(gitea, wanted.tag))?.draft === true) throw heldByDraft(gitea, wanted.tag);
}

function noCommit(gitea: Gitea, { commit, tag }: Reservation, tried: ForgeAnswer): ToolError {
  const what = commit === null ? 'the default branch' : `the commit ${commit}`;
  return new ToolError(
    'E_NOT_FOUND',
    `${gitea.name}: ${what} that ${tag} is to name is not in ${gitea.advice.repository}${saidBy(tried)}`,
    {
      hint: 'Push it there first, then run the same command again.',
    },
  );
}

function refusedTag(gitea: Gitea, { tag }: Reservation, tried: ForgeAnswer): ToolError {
  const isProtected = /protected/i.test(saidBy(tried));
  return new ToolError(isProtected ? 'E_AUTH' : 'E_CONFIG', `${gitea.name} refused the tag ${tag}${saidBy(tried)}`, {
    hint: isProtected
      ? `Let the user of the token in $${gitea.advice.variable} make such tags: ${gitea.page}/settings/tags.`
      : 'Mend what it says, then run the same command again.',
  });
}

/** Gitea trims the message; that of a lightweight tag is its commit's. The commit is the one that the tag names, whatever the message says. */
function reservationIn(body: unknown, tag: string): Reservation {
  const f = parseFields(body, `tag ${tag}`);
  const commit = parseFields(f.commit, `tag ${tag}: commit`);
  const sha = parseText(commit.sha, `tag ${tag}: commit.sha`);
  const ours = ownReservation(parseText(f.message ?? '', `tag ${tag}: message`), tag);
  if (ours !== undefined) return { ...ours, commit: ours.commit === null ? null : sha };
  const id = parseText(f.id, `tag ${tag}: id`);
  const created = typeof commit.created === 'string' ? Date.parse(commit.created) : Number.NaN;
  return foreignTag(tag, { id, commit: sha, at: Number.isNaN(created) ? undefined : momentOf(new Date(created)) });
}

/** The reservation that a message holds, or undefined for anything else: a tag made by hand, or one copied from another tag. */
function ownReservation(message: string, tag: string): Reservation | undefined {
  try {
    const found = parseReservation(message, `tag ${tag}`);
    return found.tag === tag ? found : undefined;
  } catch (error) {
    if (isToolError(error, 'E_FORMAT') || isToolError(error, 'E_WRONG_TYPE')) return undefined;
    throw error;
  }
}
