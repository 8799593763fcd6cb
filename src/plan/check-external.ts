// Checks of services that a site may replace by a server of its own. Rule: whatever would start the container all the same, or not start without it, is refused here.
import { isRefused, type ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { type ComposeService, fieldsOf, listOf } from './compose-parts.ts';

/** What the product file says of them. */
export function checkExternal({ services, env, source }: Product): ProblemText[] {
  const external = Object.entries(services).flatMap(([name, traits]) =>
    traits.external === undefined ? [] : [{ name, ...traits.external }],
  );
  const whole = external.filter(({ name }) => !isRefused(source, ['services', name]));
  return whole.flatMap(({ name, variables }) => [
    ...checkName(name, source),
    ...variables.flatMap((variable, index) => checkVariable(name, { variable, index, env })),
  ]);
}

/** What the compose file makes of them. */
export function checkExternalServices(all: readonly ComposeService[], { services }: Product): ProblemText[] {
  const external = all.filter(({ name }) => services[name]?.external !== undefined);
  return external.flatMap((service) => [...checkProfile(service), ...all.flatMap((other) => checkDependent(other, service.name))]);
}

function checkName(name: string, source: Product['source']): ProblemText[] {
  const path = ['services', name, 'external'];
  if (!/^[a-z][a-z0-9_-]*$/.test(name)) {
    const message = `services.${name}.external: the choice has the service's name, and this one cannot be a feature's`;
    return [{ code: 'E_EXTERNAL', path, message, hint: 'Rename the service: lower-case letters, digits, - and _.' }];
  }
  if (!source.lines.has(`features.${name}`)) return [];
  const message = `services.${name}.external makes a choice named ${name}, and there is a feature of that name`;
  return [{ code: 'E_EXTERNAL', path, message, hint: 'Rename the feature or the service.' }];
}

interface Named {
  readonly variable: string;
  readonly index: number;
  readonly env: Product['env'];
}

/** A value that is there by itself would be taken for the site's own server. */
function checkVariable(name: string, { variable, index, env }: Named): ProblemText[] {
  const { default: fallback, secret } = env[variable] ?? {};
  if (fallback === undefined && secret === undefined) return [];
  const message = `env.${variable} names the site's own ${name}, so nobody but the site knows its value`;
  const hint = `Remove ${secret === undefined ? 'the default' : 'secret'}, and write the container's own in the compose file: \${${variable}:-…}.`;
  return [{ code: 'E_EXTERNAL', path: ['services', name, 'external', 'variables', index], message, hint }];
}

function checkProfile({ name, path, fields }: ComposeService): ProblemText[] {
  const profiles = listOf(fields.profiles).map(String);
  if (profiles.length === 1 && profiles[0] === name) return [];
  const message = `${name} may be replaced by a server of the site, and would start all the same`;
  return [{ code: 'E_EXTERNAL', path, message, hint: `Write \`profiles: [${name}]\`; it is switched on unless the site has its own.` }];
}

function checkDependent({ name, path, fields }: ComposeService, external: string): ProblemText[] {
  const dependencies = fields.depends_on;
  const isNamed = listOf(dependencies).includes(external) || Object.hasOwn(fieldsOf(dependencies), external);
  if (!isNamed || fieldsOf(fieldsOf(dependencies)[external]).required === false) return [];
  const message = `${name} would not start where the site has a ${external} of its own`;
  const hint = `Write \`depends_on: { ${external}: { condition: service_started, required: false } }\` (Compose 2.20 or newer).`;
  return [{ code: 'E_EXTERNAL', path: [...path, 'depends_on'], message, hint }];
}
