// A declared change of a database's major (`data.*.migrate`). Rule: what is not declared is not done: no engine meets the files of another major.
import { ToolError } from './error.ts';
import { parseCount, parseFields, parseFlag, parseList, parseOptional, parseText } from './parse.ts';

/** How the data of older majors comes into a new volume: dumped by the old engine, restored by the new one, and compared. */
export interface MajorChange {
  /** The data item of earlier releases; the same name means that the new volume takes the old one's place. */
  readonly from: string;
  /** The majors that it may be of. */
  readonly majors: readonly number[];
  readonly how: 'dump-restore';
  /** Run with the old engine; the installed release's backup recipe where absent. */
  readonly dump?: string;
  /** Run with the new engine; the new release's backup recipe where absent. */
  readonly restore?: string;
  /** Must print the same with both engines. */
  readonly compare?: string;
  /** False: the old volume goes once the new release is open and well. */
  readonly keepOld: boolean;
}

export function parseMajorChange(value: unknown, where: string): MajorChange {
  const f = parseFields(value, where);
  if (f.how !== 'dump-restore') throw new ToolError('E_FORMAT', `${where}.how: expected dump-restore`);
  const command = (key: 'dump' | 'restore' | 'compare'): { readonly [K in typeof key]?: string } => {
    const found = parseOptional(f[key], `${where}.${key}`, parseText);
    return found === undefined ? {} : { [key]: found };
  };
  return {
    from: parseText(f.from, `${where}.from`),
    majors: parseList(f.majors, `${where}.majors`, parseCount),
    how: 'dump-restore',
    ...command('dump'),
    ...command('restore'),
    ...command('compare'),
    keepOld: parseFlag(f.keepOld, `${where}.keepOld`),
  };
}

/** What engines print of their rows and roles, where nothing is declared: the users of the official images. Ends in a line per role, and a line per table with its rows. */
export const COMPARES: Readonly<Record<string, string>> = {
  postgres: `set -e; U="\${POSTGRES_USER:-postgres}"
psql -X -U "$U" -d postgres -Atc "select 'role ' || rolname from pg_roles where rolname !~ '^pg_' order by rolname collate \\"C\\""
for D in $(psql -X -U "$U" -d postgres -Atc "select datname from pg_database where datallowconn and not datistemplate order by datname collate \\"C\\""); do
  echo "select format('select %L, count(*) from %I.%I', current_database() || ' ' || schemaname || '.' || tablename, schemaname, tablename)
    from pg_tables where schemaname not in ('pg_catalog', 'information_schema') order by schemaname collate \\"C\\", tablename collate \\"C\\" \\gexec" |
    psql -X -U "$U" -d "$D" -At -F ' ' -v ON_ERROR_STOP=1
done`,
};
