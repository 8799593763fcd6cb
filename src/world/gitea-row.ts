// The one row that Gitea has for a tag: bare, a draft or a release. Rule: parsed at the edge; a draft is ours only while its body says what is to be in it.
import { parseTag } from '../model/channel.ts';
import { type Digest, parseDigest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { Draft } from '../model/host.ts';
import { parseCount, parseFields, parseFlag, parseList, parseText } from '../model/parse.ts';
import { type Gitea, getFrom, pathOf } from './gitea-api.ts';

export interface StoredAsset {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly size: number;
}

export interface GiteaRelease {
  readonly id: number;
  readonly tag: string;
  readonly draft: boolean;
  /** Of a draft of ours: what is to be in it. */
  readonly contents: Digest | undefined;
  readonly assets: readonly StoredAsset[];
}

/** The draft or release of a tag, or undefined. Gitea shows drafts by their tag to those who may write. */
export async function releaseOf(gitea: Gitea, tag: string): Promise<GiteaRelease | undefined> {
  const body = await getFrom(gitea, `releases/tags/${pathOf(parseTag(tag, 'tag'))}`);
  return body === undefined ? undefined : parseRelease(body, `${gitea.name}: release ${tag}`);
}

/** What the body of a draft of ours begins with. */
export function markOf({ contents }: Draft): string {
  return `<!-- slipway-draft ${contents} -->`;
}

/** The refusal of a tag that a draft of somebody else holds: Gitea has room for one a tag. */
export function heldByDraft(gitea: Gitea, tag: string): ToolError {
  const page = `${gitea.page}/releases/tag/${pathOf(tag)}`;
  return new ToolError('E_RESERVED_ELSEWHERE', `${tag} is held on ${gitea.name} by a draft with other contents, which was not made here`, {
    hint: `Gitea has one draft a tag. Publish or delete that one at ${page}, or take the next version; nothing was changed.`,
    details: { tag, page },
  });
}

function parseRelease(body: unknown, where: string): GiteaRelease {
  const f = parseFields(body, where);
  const mark = /^<!-- slipway-draft (sha256:[0-9a-f]{64}) -->/.exec(parseText(f.body ?? '', `${where}: body`))?.[1];
  return {
    id: parseCount(f.id, `${where}: id`),
    tag: parseText(f.tag_name, `${where}: tag_name`),
    draft: parseFlag(f.draft, `${where}: draft`),
    contents: mark === undefined ? undefined : parseDigest(mark, where),
    assets: parseList(f.assets ?? [], `${where}: assets`, parseAsset),
  };
}

function parseAsset(value: unknown, where: string): StoredAsset {
  const f = parseFields(value, where);
  return {
    id: parseCount(f.id, `${where}.id`),
    uuid: parseText(f.uuid, `${where}.uuid`),
    name: parseText(f.name, `${where}.name`),
    size: parseCount(f.size, `${where}.size`),
  };
}
