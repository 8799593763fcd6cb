// Lists the tags of a repository (distribution-spec: Listing Tags). Rule: pages are followed by Link alone, on the same registry alone.
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import { parseFields, parseJson, parseList, parseText } from '../model/parse.ts';
import type { HttpResponse } from './http.ts';
import { type Ask, refusedAnswer } from './registry-session.ts';

const LARGEST_PAGE = 8 * 1024 * 1024;
const MOST_PAGES = 1000;

/** All tags, each once, in the registry's order. */
export async function listTags(ask: Ask, { registry, repository }: ImageRef): Promise<readonly string[]> {
  const ref = { registry, repository };
  const tags = new Set<string>();
  const seen = new Set<string>();
  for (let path: string | undefined = 'tags/list?n=1000'; path !== undefined; ) {
    if (seen.size === MOST_PAGES || seen.has(path)) throw endless(ref);
    seen.add(path);
    const answer: HttpResponse = await ask(ref, { path, method: 'GET', accept: 'application/json', maxBytes: LARGEST_PAGE });
    if (answer.status !== 200) throw refusedAnswer(answer, ref);
    for (const tag of parsePage(answer.body.toString('utf8'), `${printImageRef(ref)}: tags`)) tags.add(tag);
    path = nextPage(answer, ref);
  }
  return [...tags];
}

/** See `RegistryTarget.isNew`. Some refuse access to what they do not know; then nothing is known. */
export async function isNew(ask: Ask, { registry, repository }: ImageRef): Promise<boolean> {
  try {
    const request = { path: 'tags/list?n=1', method: 'GET', accept: 'application/json', push: true, maxBytes: LARGEST_PAGE } as const;
    return (await ask({ registry, repository }, request)).status === 404;
  } catch (error) {
    if (isToolError(error, 'E_AUTH')) return false;
    throw error;
  }
}

function parsePage(text: string, where: string): string[] {
  const { tags } = parseFields(parseJson(text, where), where);
  return tags === null || tags === undefined ? [] : parseList(tags, where, parseText);
}

/** The target of `Link: <…>; rel="next"` (RFC 8288), relative or absolute. */
export function nextPage({ headers, url }: HttpResponse, ref: ImageRef): string | undefined {
  const target = /<([^>]*)>\s*;[^,]*\brel\s*=\s*"?next\b/i.exec(headers.link ?? '')?.[1];
  if (target === undefined) return undefined;
  const next = URL.canParse(target, url) ? new URL(target, url) : undefined;
  if (next?.origin === new URL(url).origin) return next.href;
  throw new ToolError('E_NETWORK', `${printImageRef(ref)}: the list continues on another host`, {
    hint: `Tell whoever runs ${ref.registry}: its own address is not configured correctly.`,
  });
}

function endless(ref: ImageRef): ToolError {
  return new ToolError('E_TOO_LARGE', `${printImageRef(ref)}: the list of tags has no end`);
}
