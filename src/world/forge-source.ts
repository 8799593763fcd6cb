// Releases as the pages of a forge show them. Rule: no API, so no quota and no token for a public repository; which forge it is shows in what answers.
import { ToolError } from '../model/error.ts';
import type { ReleaseSource } from '../model/host.ts';
import { CHANNELS_BRANCH } from './branch-files.ts';
import type { Http } from './http.ts';
import { FOLDER_LAYOUT, type WebLayout, type WebOptions, webSource } from './web-folder.ts';

const asset: WebLayout['asset'] = (tag, name) => `releases/download/${tag}/${name}`;

/** Gitea and Forgejo. */
export const GITEA_LAYOUT: WebLayout = { file: (path) => `raw/branch/${CHANNELS_BRANCH}/${path}`, asset };
/** github.com and GitHub Enterprise Server; a redirect to another host brings the file. */
export const GITHUB_LAYOUT: WebLayout = { file: (path) => `raw/${CHANNELS_BRANCH}/${path}`, asset };

/** True for an address that may be a repository's page: https://host/owner/name. */
export function mayBeForge(location: string): boolean {
  return URL.canParse(location) && /^\/[^/]+\/[^/]+\/?$/.test(new URL(location).pathname);
}

/** Releases at an address that may be a repository of a forge or a folder that a web server shows; the first that answers is remembered. */
export function forgeSource(location: string, http: Http, options: Pick<WebOptions, 'authorization'> = {}): ReleaseSource {
  const layouts = new URL(location).hostname === 'github.com' ? [GITHUB_LAYOUT] : [FOLDER_LAYOUT, GITEA_LAYOUT, GITHUB_LAYOUT];
  const sources = layouts.map((layout) => webSource(location, http, { ...options, layout }));
  let known: ReleaseSource | undefined;
  const first = async <T>(ask: (source: ReleaseSource) => Promise<T | undefined>): Promise<T | undefined> => {
    for (const source of known === undefined ? sources : [known]) {
      const answer = await ask(source);
      if (answer === undefined) continue;
      known = source;
      return answer;
    }
    return undefined;
  };
  return {
    label: location,
    read: (path, maxBytes) => first((source) => source.read(path, maxBytes)),
    assets: (tag) => first((source) => source.assets(tag)),
    download: async (tag, name, wanted) => {
      if (known === undefined) await first((source) => source.assets(tag));
      if (known !== undefined) return known.download(tag, name, wanted);
      throw new ToolError('E_NOT_FOUND', `${location} has no release ${tag}`, { hint: 'Choose a version that is published there.' });
    },
  };
}
