// What kind of data a volume holds, by the image that writes it. Rule: a guess is marked; what nobody can tell is kept and copied.
import { posix } from 'node:path';
import { fillReferences } from '../model/interpolation.ts';
import { namedOf } from './compose-merge.ts';
import type { ComposeFields, Proposed } from './proposal.ts';

/** What the image itself does without a name. */
// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the shell's own grammar
const OWN_USER = '"${POSTGRES_USER:-postgres}"';
const OWN_DATABASE = '"${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"';
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the shell's own grammar
const LOST_WITHOUT_HARM = /(?:^|[-_./])(?:node_modules|cache|tmp|temp|\.next|\.cache|__pycache__|sockets?|run)(?:$|[-_./])/i;

/** The item of `data` for a volume that this service writes. */
export function dataOfVolume(name: string, target: string, service: ComposeFields): Proposed<ComposeFields> {
  const image = String(service.image ?? '');
  if (/(?:^|\/)(?:postgres|postgis|timescaledb[\w-]*|pgvector)(?:[:@]|$)/.test(image) && /postgres/.test(target)) {
    return postgresData(image, service);
  }
  const mysql = /(?:^|\/)(mysql|mariadb)(?:[:@]|$)/.exec(image)?.[1];
  if (mysql !== undefined && target.startsWith('/var/lib/mysql')) return { value: { engine: mysql, ...majorOf(image) } };
  if (LOST_WITHOUT_HARM.test(name) || LOST_WITHOUT_HARM.test(posix.basename(target))) {
    return { value: { ephemeral: true }, review: 'may it be lost?' };
  }
  return { value: {} };
}

/** Dumped and restored by its own tools, so that it survives a change of the major version. */
function postgresData(image: string, service: ComposeFields): Proposed<ComposeFields> {
  const environment = namedOf(service.environment);
  const isElsewhere = service.env_file !== undefined; // then only the container knows
  const user = wordOf(environment.POSTGRES_USER) ?? (isElsewhere ? OWN_USER : 'postgres');
  const database = wordOf(environment.POSTGRES_DB) ?? (isElsewhere ? OWN_DATABASE : user);
  const major = majorOf(image);
  const backup = {
    service: service.name,
    dump: `pg_dump -U ${user} -Fc ${database}`,
    restore: `pg_restore -U ${user} --exit-on-error -d ${database}`,
  };
  return { value: { engine: 'postgres', ...major, backup }, ...(major.major === undefined ? { review: 'name the major version' } : {}) };
}

/** As a word of a shell line: a plain name, or what the container's own variable holds. */
function wordOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = String(value);
  if (/^[\w.-]+$/.test(text)) return text;
  const filled = fillReferences(text, () => undefined);
  return /^[\w.-]+$/.test(filled) ? filled : undefined;
}

function majorOf(image: string): { readonly major?: number } {
  const tag = /[:.-]pg(\d+)/.exec(image)?.[1] ?? /:(\d+)(?:[.-][\w.-]*)?(?:@.*)?$/.exec(image)?.[1];
  return tag === undefined ? {} : { major: Number(tag) };
}
