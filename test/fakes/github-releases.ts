// Releases and assets of the fake GitHub. Rule: drafts are found by listing alone, names are unique in a release, and a tag has one published release.
import { createHash } from 'node:crypto';
import { type Answer, type Call, formOf, NOT_FOUND, pageOf, refuse, textOf, validation } from './github-call.ts';
import { type GithubState, objectId, type StoredAsset, type StoredRelease, storedName } from './github-state.ts';

const MOST_BYTES = 2 ** 31;

/** Everything below `/repos/acme/acme/releases`. */
export function answerReleases(state: GithubState, call: Call): Answer {
  const { method, path } = call;
  if (path === 'releases') return method === 'POST' ? create(state, call) : listReleases(state, call);
  const byTag = /^releases\/tags\/(.+)$/.exec(path)?.[1];
  if (byTag !== undefined)
    return show(
      state,
      call,
      state.releases.find(({ tag, draft }) => tag === byTag && !draft),
    );
  const asset = /^releases\/assets\/(\d+)$/.exec(path)?.[1];
  if (asset !== undefined) return answerAsset(state, call, Number(asset));
  const [, id, below] = /^releases\/(\d+)(\/assets)?$/.exec(path) ?? [];
  const release = state.releases.find((each) => each.id === Number(id));
  if (release === undefined || (release.draft && !call.writes)) return NOT_FOUND;
  if (below !== undefined)
    return pageOf(
      state,
      call,
      release.assets.map((each) => shownAsset(state, call, each)),
    );
  if (method === 'PATCH') return change(state, call, release);
  if (method === 'DELETE') {
    state.releases = state.releases.filter((each) => each !== release);
    if (state.latest === release.id) state.latest = undefined;
    return { status: 204 };
  }
  return show(state, call, release);
}

/** The uploads host. */
export function answerUpload(state: GithubState, call: Call): Answer {
  const id = /^repos\/acme\/acme\/releases\/(\d+)\/assets$/.exec(call.path)?.[1];
  const release = state.releases.find((each) => each.id === Number(id));
  if (release === undefined) return NOT_FOUND;
  if (release.immutable && !release.draft) return refuse(422, 'Cannot upload assets to an immutable release.');
  if (call.headers['content-length'] === undefined) return refuse(400, 'Bad Content-Length');
  if (call.body.length >= MOST_BYTES) return validation('ReleaseAsset', 'size');
  const name = storedName(call.query.get('name') ?? '');
  if (release.assets.some((each) => each.name === name)) return validation('ReleaseAsset', 'name', 'already_exists');
  const asset: StoredAsset = { id: state.nextId++, name, bytes: call.body, state: 'uploaded' };
  release.assets.push(asset);
  return { status: 201, body: shownAsset(state, call, asset) };
}

function create(state: GithubState, call: Call): Answer {
  const form = formOf(call);
  const tag = textOf(form, 'tag_name');
  if (form.draft !== true && state.releases.some((each) => each.tag === tag && !each.draft))
    return validation('Release', 'tag_name', 'already_exists');
  const release: StoredRelease = {
    ...{ id: state.nextId++, tag, name: textOf(form, 'name'), body: textOf(form, 'body') },
    ...{ draft: form.draft === true, prerelease: form.prerelease === true, immutable: false, assets: [] },
  };
  state.releases.unshift(release);
  state.fresh.set(release.id, state.settings.lag);
  return { status: 201, body: shown(state, call, release) };
}

function change(state: GithubState, call: Call, release: StoredRelease): Answer {
  const form = formOf(call);
  const publishes = release.draft && form.draft === false;
  const other = state.releases.some((each) => each !== release && !each.draft && each.tag === textOf(form, 'tag_name'));
  if (!release.draft && form.draft === true) return hide(state, call, release);
  if (publishes && state.burned.has(release.tag)) return validation('Release', 'tag_name was used by an immutable release');
  if (publishes && other) return validation('Release', 'tag_name', 'already_exists');
  if (publishes && state.settings.tagRule && !state.refs.has(`tags/${release.tag}`)) return refuse(422, 'Reference update failed');
  if (publishes && !state.refs.has(`tags/${release.tag}`)) state.refs.set(`tags/${release.tag}`, { sha: objectId('main'), type: 'commit' }); // of whatever main is
  if (publishes) state.former.set(release.id, release.body);
  Object.assign(release, { name: textOf(form, 'name'), body: textOf(form, 'body'), prerelease: form.prerelease === true });
  if (publishes) Object.assign(release, { draft: false, immutable: state.settings.immutable });
  if (publishes && release.immutable) state.burned.add(release.tag);
  if (publishes) state.stale.set(release.id, state.settings.staleDrafts);
  if (!release.draft && form.make_latest !== 'false' && !release.prerelease) state.latest = release.id; // its default is "true"
  return { status: 200, body: shown(state, call, release) };
}

/** A public release becomes a draft again. */
function hide(state: GithubState, call: Call, release: StoredRelease): Answer {
  const form = formOf(call);
  if (release.immutable) return refuse(422, 'Cannot change an immutable release.');
  Object.assign(release, { name: textOf(form, 'name'), body: textOf(form, 'body'), draft: true });
  if (state.latest === release.id) state.latest = undefined;
  return { status: 200, body: shown(state, call, release) };
}

function listReleases(state: GithubState, call: Call): Answer {
  const seen = state.releases.filter((each) => (!each.draft || call.writes) && !lags(state, each));
  return pageOf(
    state,
    call,
    seen.map((each) =>
      wasDraft(state, each)
        ? shown(state, call, { ...each, draft: true, body: state.former.get(each.id) ?? '' })
        : shown(state, call, each),
    ),
  );
}

function show(state: GithubState, call: Call, release: StoredRelease | undefined): Answer {
  return release === undefined || lags(state, release) ? NOT_FOUND : { status: 200, body: shown(state, call, release) };
}

/** A listing may show what was true a moment ago. */
function wasDraft(state: GithubState, { id }: StoredRelease): boolean {
  const left = state.stale.get(id) ?? 0;
  state.stale.set(id, left - 1);
  return left > 0;
}

/** A fresh release is missing from some answers. */
function lags(state: GithubState, { id }: StoredRelease): boolean {
  const left = state.fresh.get(id) ?? 0;
  state.fresh.set(id, left - 1);
  return left > 0;
}

function answerAsset(state: GithubState, call: Call, id: number): Answer {
  const release = state.releases.find(({ assets }) => assets.some((asset) => asset.id === id));
  const asset = release?.assets.find((each) => each.id === id);
  if (release === undefined || asset === undefined) return NOT_FOUND;
  if (call.method === 'DELETE') {
    if (release.immutable && !release.draft) return refuse(422, 'Cannot delete asset from an immutable release');
    release.assets = release.assets.filter((each) => each !== asset);
    return { status: 204 };
  }
  if (call.headers.accept !== 'application/octet-stream') return { status: 200, body: shownAsset(state, call, asset) };
  return { status: 302, headers: { location: `${call.elsewhere}/blob/${asset.id}` } };
}

function shown(state: GithubState, call: Call, release: StoredRelease): unknown {
  const { id, tag, name, body, draft, prerelease, immutable, assets } = release;
  return {
    ...{ id, tag_name: tag, name, body, draft, prerelease, immutable },
    upload_url: `${call.elsewhere}/repos/acme/acme/releases/${id}/assets{?name,label}`,
    html_url: `${call.base}/acme/acme/releases/tag/${draft ? `untagged-${id}` : tag}`,
    assets: assets.slice(0, state.settings.pageSize).map((each) => shownAsset(state, call, each)),
  };
}

const digests = new WeakMap<Buffer, string>();

/** Hashed once, however often it is listed. */
function digestOfBytes(bytes: Buffer): string {
  const digest = digests.get(bytes) ?? `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  digests.set(bytes, digest);
  return digest;
}

function shownAsset(state: GithubState, call: Call, { id, name, bytes, state: kept }: StoredAsset): unknown {
  const digest = state.settings.oldAssets || kept === 'starter' ? null : digestOfBytes(bytes);
  return {
    id,
    name,
    size: kept === 'starter' ? 0 : bytes.length,
    state: kept,
    digest,
    url: `${call.base}/repos/acme/acme/releases/assets/${id}`,
  };
}
