// A release against the one before it. Rule: data that installs have must still have a place, and in a form that the new images read.
import type { Manifest } from '../model/manifest.ts';
import { type Problem, type ProblemText, problemAt, withoutIgnored } from '../model/problem.ts';
import type { Product } from '../model/product.ts';

/** What of the previous release is compared. */
export type PreviousRelease = Pick<Manifest, 'version' | 'project' | 'data'>;

/** Changed project and volume names, and database images of another major. */
export function checkPrevious(product: Product, previous: PreviousRelease): Problem[] {
  const problems = [...checkProject(product, previous), ...checkVolumes(product, previous), ...checkMajors(product, previous)];
  return withoutIgnored(
    problems.map((problem) => problemAt(product.source, problem)),
    product.ignore,
  );
}

function checkProject({ product }: Product, { version, project }: PreviousRelease): ProblemText[] {
  if (project === product) return [];
  const message = `the compose project of ${version} is ${project}: its volumes would stay behind`;
  return [{ code: 'E_PROJECT_CHANGED', path: ['product'], message, hint: `Keep the name ${project}.` }];
}

function checkVolumes({ data }: Product, { version, data: before }: PreviousRelease): ProblemText[] {
  const carried = new Set(Object.values(data).flatMap(({ migrate, renamedFrom }) => [migrate?.from, renamedFrom]));
  const isKept = (name: string): boolean => Object.hasOwn(data, name) || carried.has(name);
  const gone = Object.entries(before).filter(([name, item]) => item.ephemeral !== true && !isKept(name));
  return gone.map(([name, { path }]) => {
    const what = path === undefined ? `the volume ${name}` : `the data in ./${path}`;
    const message = `${what} of ${version} is no data of this release: installs would lose sight of it`;
    const renamed = path === undefined ? `, or declare renamedFrom: ${name} for the volume that goes on with it` : '';
    return { code: 'E_VOLUME_CHANGED', path: ['data'], message, hint: `Keep ${name} in data, under the same name${renamed}.` };
  });
}

function checkMajors({ data }: Product, { version, data: before }: PreviousRelease): ProblemText[] {
  return Object.entries(data).flatMap(([name, { engine = 'the engine', major, migrate, renamedFrom }]): ProblemText[] => {
    const from = [name, migrate?.from, renamedFrom].find((each) => each !== undefined && before[each] !== undefined) ?? name;
    const old = before[from]?.major;
    const known = migrate?.from === from ? migrate.majors : [];
    if (old === undefined || major === undefined || old === major || known.includes(old)) return [];
    const message = `${engine} of ${name} goes from ${old} (${version}) to ${major}, and cannot read the older files`;
    const hint = `Stay at ${old}, or declare the change: data.${name}.migrate: { from: ${from}, majors: [${[...known, old].join(', ')}] }.`;
    return [{ code: 'E_ENGINE_MAJOR', path: ['data', name, 'major'], message, hint }];
  });
}
