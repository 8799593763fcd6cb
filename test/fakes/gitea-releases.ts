// Releases, drafts and their attachments as Gitea's API has them. Rule: a tag's row is converted in place, twins are taken, and nothing is atomic.
import { type Answer, type Call, formOf, NOT_FOUND, pageOf, refuse, seesDrafts, textOf, windowOf } from './gitea-call.ts';
import {
  type Attachment,
  attach,
  DEFAULT_BRANCH,
  type GiteaState,
  insertRow,
  isProtected,
  pushTag,
  type Row,
  rowOf,
} from './gitea-state.ts';

/** Answers `/releases…`; `base` is the server's address. */
export async function answerReleases(state: GiteaState, call: Call, base: string): Promise<Answer> {
  const parts = call.path.split('/').slice(1); // after `releases`
  const [first = '', second, third] = parts;
  if (first === '') return call.method === 'POST' ? createRelease(state, call, base) : listReleases(state, call, base);
  if (first === 'latest') return show(latestRow(state), base);
  if (first === 'tags') return releaseOfTag(state, call, { tag: parts.slice(1).join('/'), base });
  const row = state.rows.find(({ id, isTag }) => String(id) === first && !isTag);
  if (row === undefined || (row.draft && !seesDrafts(call))) return NOT_FOUND;
  if (second === 'assets') return answerAssets(state, call, { row, id: third, base });
  if (call.method === 'PATCH') return editRelease(state, call, { row, base });
  if (call.method === 'DELETE') return deleteRelease(row);
  return show(row, base);
}

/** `GET /releases/latest`: the newest that is neither draft nor prerelease, whatever its version. */
export function latestRow(state: GiteaState): Row | undefined {
  const shown = state.rows.filter(({ isTag, draft, prerelease }) => !isTag && !draft && !prerelease);
  return shown.sort((a, b) => b.created - a.created)[0];
}

function listReleases(state: GiteaState, call: Call, base: string): Answer {
  const all = state.rows.filter((row) => !row.isTag && (!row.draft || seesDrafts(call)));
  const body = pageOf(state, call, all.reverse()).map((row) => releaseJson(row, base));
  return { status: 200, headers: { 'x-total-count': String(all.length) }, body };
}

function releaseOfTag(state: GiteaState, call: Call, { tag, base }: { readonly tag: string; readonly base: string }): Answer {
  const row = rowOf(state, tag);
  if (row === undefined || row.isTag || (row.draft && !seesDrafts(call))) return NOT_FOUND;
  return call.method === 'DELETE' ? deleteRelease(row) : show(row, base);
}

/** routers/api/v1/repo/release.go CreateRelease: the check and the write are two steps, so two creators may both be told 201. */
async function createRelease(state: GiteaState, call: Call, base: string): Promise<Answer> {
  const form = formOf(call);
  const tag = textOf(form, 'tag_name');
  if (state.settings.empty) return refuse(422, 'repo is empty');
  if (!state.settings.hasReleases) return NOT_FOUND;
  if (tag === '') return refuse(422, '[TagName]: Required');
  const there = rowOf(state, tag);
  if (there !== undefined && !there.isTag) return refuse(409, 'Release is has no Tag');
  const wanted = { title: textOf(form, 'name'), note: textOf(form, 'body'), draft: form.draft === true };
  const target = textOf(form, 'target_commitish') || DEFAULT_BRANCH;
  await windowOf(state);
  const row = there ?? insertRow(state, { tag, target });
  if (row === undefined) return refuse(500, 'UNIQUE constraint failed: release.repo_id, release.tag_name');
  Object.assign(row, wanted, { isTag: false, prerelease: form.prerelease === true, created: Date.now() });
  const failed = row.draft ? undefined : makeTag(state, row, call.token?.user ?? '');
  if (failed !== undefined) return failed;
  return { status: 201, body: releaseJson(row, base) };
}

async function editRelease(state: GiteaState, call: Call, { row, base }: { readonly row: Row; readonly base: string }): Promise<Answer> {
  const form = formOf(call);
  const changed = {
    tag: textOf(form, 'tag_name') || row.tag,
    target: textOf(form, 'target_commitish') || row.target,
    title: textOf(form, 'name') || row.title,
    note: textOf(form, 'body') || row.note, // an empty string means "unchanged"
    draft: typeof form.draft === 'boolean' ? form.draft : row.draft,
    prerelease: typeof form.prerelease === 'boolean' ? form.prerelease : row.prerelease,
  };
  await windowOf(state);
  const other = rowOf(state, changed.tag);
  const failed = changed.draft ? undefined : makeTag(state, { ...row, ...changed }, call.token?.user ?? '');
  if (failed !== undefined) return { ...failed, status: 500 };
  if (other !== undefined && other !== row) return refuse(500, 'UNIQUE constraint failed: release.repo_id, release.tag_name');
  Object.assign(row, changed);
  return { status: 200, body: releaseJson(row, base) };
}

/** A published release gets a git tag, a lightweight one on its target, unless there is one. */
function makeTag(state: GiteaState, row: Row, user: string): Answer | undefined {
  if (state.tags.has(row.tag)) return undefined;
  if (isProtected(state, row.tag, user)) return refuse(422, `user not allowed to create protected tag [tag: ${row.tag}]`);
  const commit = state.branches.get(row.target)?.head ?? (state.commits.has(row.target) ? row.target : undefined);
  if (commit === undefined) return refuse(404, `target "${row.target}" not found`);
  pushTag(state, row.tag, commit);
  return undefined;
}

/** The row stays, as a bare tag: even where git has no such tag. */
function deleteRelease(row: Row): Answer {
  Object.assign(row, { isTag: true, assets: [] });
  return { status: 204 };
}

interface AssetCall {
  readonly row: Row;
  readonly id: string | undefined;
  readonly base: string;
}

function answerAssets(state: GiteaState, call: Call, { row, id, base }: AssetCall): Answer {
  const found = row.assets.find((asset) => String(asset.id) === id);
  if (id === undefined && call.method === 'POST') return addAsset(state, call, { row, base });
  if (id === undefined) return { status: 200, body: row.assets.map((asset) => assetJson(row, asset, base)) };
  if (found === undefined) return NOT_FOUND;
  if (call.method !== 'DELETE') return { status: 200, body: assetJson(row, found, base) };
  row.assets = row.assets.filter((asset) => asset !== found);
  return { status: 204 };
}

function addAsset(state: GiteaState, call: Call, { row, base }: { readonly row: Row; readonly base: string }): Answer {
  const sent = uploadOf(call);
  if (sent === undefined) return refuse(500, 'http: no such file');
  const { allowedTypes, maxSize } = state.settings;
  if (sent.name === '') return refuse(400, 'Could not determine name of attachment.');
  if (allowedTypes.length > 0 && !allowedTypes.some((type) => sent.name.endsWith(type))) {
    return refuse(400, 'This file cannot be uploaded or modified due to a forbidden file extension or type.');
  }
  if (sent.bytes.length > maxSize * 1024 * 1024) return refuse(413, `attachment exceeds limit ${maxSize * 1024 * 1024}`);
  return { status: 201, body: assetJson(row, attach(state, row, sent.name, sent.bytes), base) };
}

/** A raw body with `?name=`, or the part `attachment` of a form; another part is none. */
function uploadOf({ headers, query, body }: Call): { readonly name: string; readonly bytes: Buffer } | undefined {
  const type = headers['content-type'] ?? '';
  if (!type.startsWith('multipart/form-data')) return { name: query.get('name') ?? '', bytes: body };
  const boundary = /boundary="?([^";]+)/.exec(type)?.[1] ?? '';
  const start = body.indexOf(`--${boundary}\r\n`);
  const head = body.indexOf('\r\n\r\n', start);
  const end = body.indexOf(`\r\n--${boundary}--`, head);
  const part = body.subarray(start, head).toString();
  if (start < 0 || head < 0 || end < 0 || !/name="attachment"/.test(part)) return undefined;
  const name = query.get('name') || /filename="([^"]*)"/.exec(part)?.[1] || '';
  return { name, bytes: body.subarray(head + 4, end) };
}

function show(row: Row | undefined, base: string): Answer {
  return row === undefined ? NOT_FOUND : { status: 200, body: releaseJson(row, base) };
}

function releaseJson(row: Row, base: string): unknown {
  return {
    id: row.id,
    tag_name: row.tag,
    target_commitish: row.target,
    name: row.title,
    body: row.note,
    html_url: `${base}/acme/acme/releases/tag/${row.tag}`,
    draft: row.draft,
    prerelease: row.prerelease,
    created_at: new Date(row.created).toISOString(),
    assets: row.assets.map((asset) => assetJson(row, asset, base)),
  };
}

/** No digest, and a pretty address only while the name is the only one of its kind. */
function assetJson(row: Row, asset: Attachment, base: string): unknown {
  const isTwin = row.assets.filter(({ name }) => name === asset.name).length > 1;
  const pretty = `${base}/acme/acme/releases/download/${row.tag}/${asset.name}`;
  return {
    id: asset.id,
    name: asset.name,
    size: asset.bytes.length,
    uuid: asset.uuid,
    browser_download_url: isTwin ? `${base}/attachments/${asset.uuid}` : pretty,
  };
}
