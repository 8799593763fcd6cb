// `${NAME}` of the compose file against the declared variables. Rule: nothing ever interpolates to a blank that nobody meant.
import { allReferences, type Reference } from '../model/interpolation.ts';
import { didYouMean } from '../model/near.ts';
import { isRefused, type ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { homeOf, MAIN_ENV } from '../model/settings.ts';
import type { YamlText } from '../model/yaml-file.ts';

/** In `.env` of every install, whatever the product declares. */
const ALWAYS_SET = ['COMPOSE_PROJECT_NAME', 'COMPOSE_PROFILES'];

/** References without a value: each with the line that it is on. */
export function checkVariables(texts: readonly YamlText[], product: Product): ProblemText[] {
  return texts.flatMap(({ path, line, text }) =>
    allReferences(text).flatMap((reference) => {
      const problem = referenceProblem(reference, product);
      return problem === undefined ? [] : [{ ...problem, path, line }];
    }),
  );
}

function referenceProblem({ name, operator }: Reference, product: Product): Omit<ProblemText, 'path'> | undefined {
  if (name === undefined) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own grammar
    const hint = 'Write ${NAME} or ${NAME:-default}; a literal dollar sign is $$.';
    return { code: 'E_INTERPOLATION', message: 'Compose cannot read what stands between these braces', hint };
  }
  const declared = Object.hasOwn(product.env, name);
  if (ALWAYS_SET.includes(name) || isRefused(product.source, ['env', name])) return undefined;
  if (operator.endsWith('?') && !declared) {
    const message = `${name} is demanded here, but is no variable of the product, so nobody is asked for it`;
    return { code: 'W_UNKNOWN_VARIABLE', message, hint: didYouMean(name, Object.keys(product.env), 'Its variables') };
  }
  const home = declared ? homeOf(product.env[name]) : MAIN_ENV;
  if (home !== MAIN_ENV) {
    const message = `${name} lives in ${home}, and Compose fills its files from .env alone`;
    return { code: 'E_UNSET_VARIABLE', message, hint: `Give the service \`env_file: ${home}\`, or remove env.${name}.file.` };
  }
  if (operator !== '') return undefined;
  if (!declared) {
    const message = `${name} is no variable of the product, so it would be blank`;
    return {
      code: 'E_UNSET_VARIABLE',
      message,
      hint: `${didYouMean(name, Object.keys(product.env), 'Its variables')} Or write \${${name}:-default}.`,
    };
  }
  const { required, secret, default: preset } = product.env[name] ?? {};
  if (required || secret !== undefined || preset !== undefined) return undefined;
  const message = `${name} may be blank: it is not required and has no default`;
  return { code: 'E_UNSET_VARIABLE', message, hint: `Give env.${name} a default or required: true, or write \${${name}:-}.` };
}
