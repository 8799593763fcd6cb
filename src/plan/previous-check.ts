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
  const gone = Object.entries(before).filter(([name, item]) => item.ephemeral !== true && !Object.hasOwn(data, name));
  return gone.map(([name, { path }]) => {
    const what = path === undefined ? `the volume ${name}` : `the data in ./${path}`;
    const message = `${what} of ${version} is no data of this release: installs would lose sight of it`;
    return { code: 'E_VOLUME_CHANGED', path: ['data'], message, hint: `Keep ${name} in data, under the same name.` };
  });
}

function checkMajors({ data }: Product, { version, data: before }: PreviousRelease): ProblemText[] {
  return Object.entries(data).flatMap(([name, { engine, major }]): ProblemText[] => {
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    if (old?.major === undefined || major === undefined || old.major === major) return [];
    const message = `${engine ?? 'the engine'} of ${name} goes from ${old.major} (${version}) to ${major}, and cannot read the older files`;
    const hint = `Stay at ${old.major}: a declared change of the major is not supported yet.`;
    return [{ code: 'E_ENGINE_MAJOR', path: ['data', name, 'major'], message, hint }];
  });
}
