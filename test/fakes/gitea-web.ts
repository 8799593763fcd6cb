// Gitea's pages that programs read: asset downloads and raw files. Rule: they take a token, and the anonymous see public repositories' published files only.
import { type Answer, type Call, forbid, NOT_FOUND, seesDrafts } from './gitea-call.ts';
import { latestRow } from './gitea-releases.ts';
import { type Attachment, type GiteaState, rowOf } from './gitea-state.ts';

const REPOSITORY = '/acme/acme';

/** Answers a path outside the API. */
export function answerPage(state: GiteaState, call: Call): Answer {
  const { path } = call;
  if (path === '/user/login') return { status: 200, headers: { 'content-type': 'text/html' }, body: Buffer.from('<html>Sign In</html>') };
  if (path.startsWith('/blob/')) return bytesOf(attachmentOf(state, path.slice('/blob/'.length)));
  if (state.settings.signIn && call.token === undefined) return { status: 303, headers: { location: '/user/login' } };
  if (forbid(state, call) !== undefined) return NOT_FOUND;
  if (path.startsWith('/attachments/')) return stored(state, attachmentOf(state, path.slice('/attachments/'.length)));
  if (path.startsWith(`${REPOSITORY}/releases/download/`)) return download(state, call);
  const raw = new RegExp(`^${REPOSITORY}/raw/branch/([^/]+)/(.+)$`).exec(path);
  const bytes = raw === null ? undefined : state.branches.get(raw[1] ?? '')?.files.get(raw[2] ?? '');
  return bytes === undefined ? NOT_FOUND : { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: bytes };
}

/** By tag and name; of twins the first. `latest` is an alias unless a tag has that name. */
function download(state: GiteaState, call: Call): Answer {
  const [tag = '', name = ''] = call.path.slice(`${REPOSITORY}/releases/download/`.length).split('/');
  const row = rowOf(state, tag) ?? (tag === 'latest' ? latestRow(state) : undefined);
  if (row === undefined || row.isTag || (row.draft && !seesDrafts(call))) return NOT_FOUND;
  return stored(
    state,
    row.assets.find((asset) => asset.name === name),
  );
}

function stored({ settings }: GiteaState, asset: Attachment | undefined): Answer {
  if (asset === undefined || settings.storage === 'inline') return bytesOf(asset);
  const base = settings.storage === 'relative' ? '' : settings.storage;
  return { status: 307, headers: { location: `${base}/blob/${asset.uuid}` } };
}

function bytesOf(asset: Attachment | undefined): Answer {
  return asset === undefined ? NOT_FOUND : { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: asset.bytes };
}

function attachmentOf(state: GiteaState, uuid: string): Attachment | undefined {
  return state.rows.flatMap(({ assets }) => assets).find((asset) => asset.uuid === uuid);
}
