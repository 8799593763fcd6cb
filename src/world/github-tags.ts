// Reservations as annotated tags on GitHub. Rule: whose object the name points to decides, read back after every attempt; no status does.
import { isToolError, ToolError } from '../model/error.ts';
import { parseFields, parseText } from '../model/parse.ts';
import { parseReservation, printReservation, RESERVATION_TYPE, type Reservation } from '../model/reservation.ts';
import { type Github, parseObjectId, readIfThere } from './github-api.ts';

const MOST_TRIES = 6;
const DEEPEST_TAG = 5;

/** The reservation of a tag, or undefined. A tag that was made by other means counts as one of whoever made it. */
export async function readReservation(github: Github, tag: string): Promise<Reservation | undefined> {
  const ref = await readIfThere(github, `git/ref/tags/${encodeURIComponent(tag)}`);
  if (ref === undefined) return undefined;
  const where = `${github.name}: tag ${tag}`;
  const { type, sha } = parseFields(parseFields(ref, where).object, where);
  return describeTag(github, { tag, type: parseText(type, where), id: parseObjectId(sha, where) });
}

/** Reserves unless somebody has; gives the reservation in force. */
export async function reserveTag(github: Github, wanted: Reservation): Promise<Reservation> {
  const { tag, commit } = wanted;
  if (commit === null) {
    throw new ToolError('E_CONFIG', `${github.name} reserves ${tag} as a tag, and a tag needs a commit`, {
      hint: 'Run this in a git repository whose commit is pushed there.',
    });
  }
  github.mayWrite();
  const found = await readReservation(github, tag);
  if (found !== undefined) return found;
  const object = await makeTagObject(github, wanted, commit);
  let last: string | undefined;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const refused = await makeRef(github, tag, object);
    const now = await readReservation(github, tag);
    if (now !== undefined) return now;
    last = refused ?? last;
    if (refused !== undefined && isRule(refused)) break;
    await github.world.sleep(500 * tries); // a fresh ref may take a moment to show, and some refusals pass
  }
  if (last !== undefined && !/already exists/i.test(last)) throw ruleRefusal(github, tag, last);
  throw new ToolError('E_NETWORK', `${github.name}: the tag ${tag} was made, and cannot be read`, { hint: 'Run the same command again.' });
}

/** Removes the tag when this very reservation is in force. The caller knows that nothing is published under it. */
export async function unreserveTag(github: Github, wanted: Reservation): Promise<void> {
  const found = await readReservation(github, wanted.tag);
  if (found?.nonce !== wanted.nonce) return;
  await github.forge.call({
    method: 'DELETE',
    path: `${github.path}/git/refs/tags/${encodeURIComponent(wanted.tag)}`,
    answers: [404, 422],
  });
}

/** The names of all tags that begin so. */
export async function listTags(github: Github, prefix: string): Promise<readonly string[]> {
  await github.repository();
  const refs = await github.forge.list(`${github.path}/git/matching-refs/tags/${encodeURIComponent(prefix)}?per_page=100`);
  const names = refs.map((ref) => parseText(parseFields(ref, 'ref').ref, 'ref').replace(/^refs\/tags\//, ''));
  return names.filter((name) => name.startsWith(prefix)).sort();
}

interface TagTarget {
  readonly tag: string;
  readonly type: string;
  readonly id: string;
}

async function describeTag(github: Github, target: TagTarget, depth = 0): Promise<Reservation> {
  const { tag, type, id } = target;
  const where = `${github.name}: tag ${tag}`;
  if (type !== 'tag' || depth > DEEPEST_TAG) return foreignTag(tag, { id, commit: type === 'commit' ? id : null, at: undefined });
  const object = parseFields((await github.forge.call({ path: `${github.path}/git/tags/${id}` })).body, where);
  const ours = reservationIn(object.message, where);
  if (ours !== undefined) return ours;
  const inner = parseFields(object.object, where);
  const peeled = await describeTag(github, { tag, type: parseText(inner.type, where), id: parseObjectId(inner.sha, where) }, depth + 1);
  const tagger = typeof object.tagger === 'object' && object.tagger !== null ? (object.tagger as Record<string, unknown>).date : undefined;
  return foreignTag(tag, { id, commit: peeled.commit, at: typeof tagger === 'string' ? tagger : undefined });
}

function reservationIn(message: unknown, where: string): Reservation | undefined {
  if (typeof message !== 'string' || !message.trimStart().startsWith('{')) return undefined;
  try {
    return parseReservation(message, where);
  } catch {
    return undefined; // some other JSON: a tag like any other
  }
}

/** A tag that no reservation made. Its product and version are those that its name says to whoever asks. */
export function foreignTag(
  tag: string,
  made: { readonly id: string; readonly commit: string | null; readonly at: string | undefined },
): Reservation {
  const version = /\d+\.\d+\.\d+.*$/.exec(tag)?.[0] ?? tag;
  const at = made.at === undefined || Number.isNaN(Date.parse(made.at)) ? '1970-01-01T00:00:00Z' : made.at;
  return { type: RESERVATION_TYPE, product: '', version, tag, commit: made.commit, by: `git tag ${made.id}`, nonce: made.id, at };
}

async function makeTagObject(github: Github, wanted: Reservation, commit: string): Promise<string> {
  const body = {
    tag: wanted.tag,
    message: printReservation(wanted),
    object: commit,
    type: 'commit',
    tagger: { name: 'slipway', email: 'slipway@localhost', date: wanted.at },
  };
  const path = `${github.path}/git/tags`;
  const answer = await github.forge.call({ method: 'POST', path, body, answers: [404, 422] });
  if (answer.status < 300) return parseObjectId(parseFields(answer.body, 'tag object').sha, 'tag object');
  await github.repository();
  throw new ToolError('E_CONFIG', `${github.name} does not know the commit ${commit}`, {
    hint: 'Push it there first, then run the same command again.',
  });
}

/** Undefined when it was made, or nobody knows; else what GitHub said. */
async function makeRef(github: Github, tag: string, sha: string): Promise<string | undefined> {
  try {
    const body = { ref: `refs/tags/${tag}`, sha };
    const { status, text } = await github.forge.call({ method: 'POST', path: `${github.path}/git/refs`, body, answers: [409, 422] });
    return status < 300 ? undefined : text;
  } catch (error) {
    if (isToolError(error, 'E_NETWORK')) return undefined;
    throw error;
  }
}

/** 422 means many things; `Reference update failed` alone says nothing. */
function isRule(text: string): boolean {
  return /rule violation|restricted|protected|not a valid ref name/i.test(text);
}

function ruleRefusal(github: Github, tag: string, text: string): ToolError {
  const said = /"message"\s*:\s*"([^"\\]{1,200})/.exec(text)?.[1] ?? 'no reason given';
  return new ToolError('E_AUTH', `${github.name} does not let this token make the tag ${tag}: ${said}`, {
    hint: `Look at the tag rules of ${github.web}/settings/rules, and allow whoever publishes.`,
  });
}
