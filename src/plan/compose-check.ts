// Checks of the rendered compose file, as it goes into the bundle. Rule: pure; what would surprise a person on a server is refused here, with its line.

import { fillReferences } from '../model/interpolation.ts';
import { didYouMean } from '../model/near.ts';
import type { Path, Problem, ProblemText } from '../model/problem.ts';
import { isRefused, problemAt, sortProblems, withoutIgnored } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { readYaml } from '../model/yaml-file.ts';
import { checkExternalServices } from './check-external.ts';
import { checkMaintenanceService } from './check-maintenance.ts';
import { checkComposeImages, type PinnedImage } from './compose-images.ts';
import { checkMounts } from './compose-mounts.ts';
import { type ComposeService, fieldsOf, listOf } from './compose-parts.ts';
import { checkVariables } from './compose-variables.ts';

export interface ComposeChecked {
  readonly text: string;
  /** Named in the problems. */
  readonly file: string;
  readonly product: Product;
  readonly images: readonly PinnedImage[];
  /** Paths of the vendor's files in the bundle, which may be mounted writable one by one. */
  readonly files?: readonly string[];
  /** False before anything is locked: images must be in the table, but need no digest. Default true. */
  readonly pinned?: boolean;
}

/** Everything that is wrong with one whole compose file, without what `check.ignore` names. */
export function checkCompose(checked: ComposeChecked): Problem[] {
  const { text, file, product } = checked;
  const yaml = readYaml(text, file);
  if (yaml.value === undefined) return [...yaml.problems];
  const compose = fieldsOf(yaml.value);
  const services = servicesOf(compose);
  const found: ProblemText[] = [
    ...checkTop(compose, product),
    ...services.flatMap((service) => checkService(service, product)),
    ...checkComposeImages(services, checked),
    ...checkExternalServices(services, product),
    ...checkMaintenanceService(services, product),
    ...checkMounts(compose, services, checked),
    ...checkVariables(yaml.texts, product),
  ];
  const placed = [...found.map((problem) => problemAt(yaml.source, problem)), ...checkDeclared(compose, services, product)];
  return sortProblems(withoutIgnored([...yaml.problems, ...placed], product.ignore));
}

/** The names of a compose file's services; none when it cannot be read. */
export function composeServices(text: string): string[] {
  return Object.keys(fieldsOf(fieldsOf(readYaml(text, 'compose').value).services));
}

function servicesOf(compose: Record<string, unknown>): ComposeService[] {
  return Object.entries(fieldsOf(compose.services)).map(([name, value]) => ({ name, path: ['services', name], fields: fieldsOf(value) }));
}

function checkTop(compose: Record<string, unknown>, { product }: Product): ProblemText[] {
  const problems: ProblemText[] = [];
  const name = typeof compose.name === 'string' ? fillReferences(compose.name, () => undefined) : compose.name;
  if (name === undefined) {
    const message = 'the compose file has no name, so its project would be called like the folder it lies in';
    problems.push({ code: 'E_PROJECT_NAME', path: [], message, hint: `Begin it with \`name: ${product}\`.` });
  } else if (name !== product) {
    const message = `the compose project is called ${JSON.stringify(name)}, the product ${product}`;
    problems.push({ code: 'E_PROJECT_NAME', path: ['name'], message, hint: `Write \`name: ${product}\`: volumes are named after it.` });
  }
  if (Object.keys(fieldsOf(compose.services)).length === 0) {
    problems.push({ code: 'E_NO_SERVICES', path: ['services'], message: 'the compose file has no services', hint: 'Add at least one.' });
  }
  if (compose.include !== undefined) problems.push(otherFile(['include'], 'include'));
  return problems;
}

function checkService({ name, path, fields }: ComposeService, { upgrade }: Product): ProblemText[] {
  const problems: ProblemText[] = [];
  const { extends: extended, ports } = fields;
  if (fieldsOf(extended).file !== undefined) problems.push(otherFile([...path, 'extends'], 'extends with a file'));
  if (upgrade.entry.length > 0 && ![...upgrade.entry, upgrade.maintenance].includes(name) && listOf(ports).length > 0) {
    const message = `${name} publishes ports, but is not in upgrade.entry: it is open before the new release has proved itself`;
    const hint = 'What is written through it is lost when the upgrade goes back. Publish it through the entry, or add it to upgrade.entry.';
    problems.push({ code: 'W_OPEN_BESIDE_DOOR', path: [...path, 'ports'], message, hint });
  }
  return problems;
}

function otherFile(path: Path, what: string): ProblemText {
  const hint = 'Write it out, or make one file of them with Handlebars.';
  return { code: 'E_NOT_SUPPORTED', path, message: `${what} is not supported yet: another file would escape the checks`, hint };
}

/** What slipway.yaml says about volumes and profiles that the compose file does not have: reported where it is said. */
function checkDeclared(compose: Record<string, unknown>, services: readonly ComposeService[], product: Product): Problem[] {
  const volumes = Object.keys(fieldsOf(compose.volumes));
  const profiles = new Set(services.flatMap(({ fields }) => listOf(fields.profiles).map(String)));
  const data = Object.entries(product.data).filter(([name, { path }]) => path === undefined && !volumes.includes(name));
  const missing = data.filter(([name]) => !isRefused(product.source, ['data', name]));
  const features = Object.entries(product.features).filter(([name]) => product.services[name]?.external === undefined);
  const unused = features.flatMap(([name, feature]) =>
    [...feature.profiles, ...Object.values(feature.choices ?? {}).flat()]
      .filter((profile) => !profiles.has(profile) && !isRefused(product.source, ['features', name]))
      .map((profile) => ({ name, profile })),
  );
  return [
    ...missing.map(([name]): ProblemText => {
      const message = `data.${name} is no volume of the compose file`;
      return {
        code: 'E_DATA_VOLUME',
        path: ['data', name],
        message,
        hint: `${didYouMean(name, volumes, 'Its volumes')} A folder needs path.`,
      };
    }),
    ...unused.map(({ name, profile }): ProblemText => {
      const message = `features.${name} switches on the profile ${profile}, which no service has`;
      return { code: 'W_UNUSED_PROFILE', path: ['features', name], message, hint: didYouMean(profile, [...profiles], 'Profiles in use') };
    }),
  ].map((problem) => problemAt(product.source, problem));
}
