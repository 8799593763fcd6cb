// Data that is carried over from earlier releases, as the product file declares it. Rule: what cannot be carried out is found here, not on a server.
import type { DataItem } from '../model/description.ts';
import { isRefused, type Path, type ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';

/** What is wrong with `migrate` and `renamedFrom` of data items. */
export function checkData(product: Product): ProblemText[] {
  return Object.entries(product.data).flatMap(([name, item]) =>
    isRefused(product.source, ['data', name]) ? [] : [...checkMigrate(name, item, product), ...checkRename(name, item, product)],
  );
}

function checkMigrate(name: string, { path, ephemeral, major, backup, migrate }: DataItem, product: Product): ProblemText[] {
  if (migrate === undefined) return [];
  const { from, majors } = migrate;
  const wrong = (where: Path, message: string, hint: string): ProblemText => ({
    code: 'E_MIGRATE',
    path: ['data', name, 'migrate', ...where],
    message: `data.${name}.migrate: ${message}`,
    hint,
  });
  if (path !== undefined || ephemeral === true)
    return [wrong([], 'only the data of a volume is migrated', 'Leave it out, or use a named volume.')];
  const problems: ProblemText[] = [];
  if (major === undefined) problems.push(wrong([], 'nothing says which major is the new one', `Declare data.${name}.engine and major.`));
  else if (majors.includes(major))
    problems.push(wrong(['majors'], `${major} is the new major itself`, 'Name the majors that installs may have.'));
  if (backup === undefined)
    problems.push(wrong([], `nothing says which service restores ${name}`, `Declare data.${name}.backup with service, dump and restore.`));
  if (from !== name && product.data[from] !== undefined)
    problems.push(wrong(['from'], `${from} is data of this release, too`, `Remove data.${from}, or migrate from another one.`));
  return [...problems, ...takenTwice(name, from, ['data', name, 'migrate', 'from'], product)];
}

function checkRename(name: string, { path, ephemeral, renamedFrom }: DataItem, product: Product): ProblemText[] {
  if (renamedFrom === undefined) return [];
  const at: Path = ['data', name, 'renamedFrom'];
  const wrong = (message: string, hint: string): ProblemText[] => [
    { code: 'E_RENAMED', path: at, message: `data.${name}.renamedFrom: ${message}`, hint },
  ];
  if (path !== undefined || ephemeral === true) return wrong('only volumes are renamed', 'Leave it out, and keep the folder where it is.');
  if (product.data[renamedFrom] !== undefined && renamedFrom !== name)
    return wrong(`${renamedFrom} is data of this release, too`, `Remove data.${renamedFrom}, or rename from another one.`);
  return takenTwice(name, renamedFrom, at, product);
}

/** Two volumes cannot both go on with the data of one. */
function takenTwice(name: string, from: string, path: Path, { data }: Product): ProblemText[] {
  const first = Object.entries(data).find(([, item]) => item.migrate?.from === from || item.renamedFrom === from)?.[0];
  if (first === undefined || first === name) return [];
  const message = `data.${name} goes on with the data of ${from}, and so does data.${first}`;
  return [{ code: 'E_RENAMED', path, message, hint: 'Only one of them can.' }];
}
