// What a variable probably is, by its name and what it holds. Rule: a wrong guess must be harmless: a secret too many is asked for or made, a secret too few would be shipped.
import type { Variable } from '../model/description.ts';
import { misfitOf } from '../model/variable-value.ts';
import type { Proposed } from './proposal.ts';

export interface Known {
  readonly name: string;
  /** What the env file or the compose file's default says; undefined when nothing does. */
  readonly value: string | undefined;
  /** True when the compose file demands it (`${X:?}`). */
  readonly demanded: boolean;
  /** The line above it in the env file. */
  readonly help: string | undefined;
}

const SECRET =
  /(?:PASS(?:WORD|WD|PHRASE)?|SECRET|TOKEN|SALT|PEPPER|CREDENTIALS?|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY|(?:ENCRYPTION|MASTER|SIGNING|SECRET|APP|JWT|AUTH|ANON|SERVICE_ROLE|COOKIE|SESSION)_?KEY(?:_BASE)?)(?:_?\d+)?$/;
const NO_SECRET = /(?:ALLOW|RANDOM|EMPTY|EXPIR|LENGTH|POLICY|PUBLIC|ENABLE|DISABLE|(?:^|_)M(?:IN|AX)_)/;
const FROM_ELSEWHERE =
  /(?:SMTP|MAIL|AWS|S3_|MINIO_EXTERNAL|STRIPE|PAYPAL|GIT(?:HUB|LAB|EA)|GOOGLE|AZURE|OAUTH|OIDC|SAML|LDAP|SLACK|DISCORD|TELEGRAM|TWILIO|SENDGRID|SENTRY|OPENAI|ANTHROPIC|CLOUDFLARE|^CF_|TUNNEL|WEBHOOK|LICEN[CS]E|API_?KEY|ACCESS_?KEY|CLIENT_|CAPTCHA|REGISTRY|MAPBOX|DNS_)/;
const PLACEHOLDER =
  /^(?:change[-_ ]?(?:me|this|it)?.*|your[-_ ].*|replace[-_ ]?(?:me|this|with).*|x{3,}|todo|fixme|<.*>|\[.*\]|secret|password|(?:.*[@./])?example\.(?:com|org|net)(?:[:/].*)?)$/i;

/** True for the name of something that nobody but the install may know. */
export function isSecretName(name: string): boolean {
  return SECRET.test(name) && !NO_SECRET.test(name);
}

/** The variable, and what a person should look at. */
export function guessVariable(known: Known): Proposed<Variable> {
  const { name, value = '' } = known;
  if (isSecretName(name) && !/^(?:true|false|yes|no|\d{1,3})$/i.test(value)) return guessSecret(known);
  if (/^[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:[^\s@/]+@/i.test(value) && !value.includes('{{')) {
    const review = 'it held a password: could the compose file make it of another variable?';
    return { value: { ...asked(known), sensitive: true, required: true, ...helpOf(known) }, review };
  }
  const isOpen = value === '' || PLACEHOLDER.test(value);
  const type = typeOf(name, value);
  const shape = { ...groupOf(name), ...(type === 'text' ? {} : { type }) };
  if (isOpen && (known.demanded || PLACEHOLDER.test(value))) {
    return { value: { ...shape, ...asked(known), required: true, ...helpOf(known) } };
  }
  if (isOpen) return { value: { ...shape, default: '', ...helpOf(known) }, review: 'empty unless somebody sets it' };
  const isForPeople = isAsked(name) && !value.includes('{{');
  return { value: { ...shape, ...(isForPeople ? asked(known) : {}), default: scalarOf(type, value), ...helpOf(known) } };
}

function guessSecret(known: Known): Proposed<Variable> {
  const { name } = known;
  if (FROM_ELSEWHERE.test(name)) {
    const required = known.demanded ? { required: true } : { default: '' };
    const review = 'somebody else gives it out, so it is asked for';
    return { value: { ...groupOf(name), ...asked(known), sensitive: true, ...required, ...helpOf(known) }, review };
  }
  const isPassword = /PASS/.test(name);
  const isForPeople = isPassword && /ADMIN|ROOT_USER|INITIAL/.test(name);
  const kept = isForPeople ? ({ reveal: 'once' } as const) : { immutable: true };
  return { value: { secret: isPassword ? 'password' : 'hex', ...kept }, review: 'made on each machine; is its form right?' };
}

/** The narrowest type that the value fits. */
function typeOf(name: string, value: string): NonNullable<Variable['type']> {
  const fits = (type: NonNullable<Variable['type']>): boolean =>
    value === '' || value.includes('{{') || misfitOf({ type }, value) === undefined;
  if (/(?:^|_)PORT$/.test(name) && fits('port')) return 'port';
  if (value === 'true' || value === 'false') return 'boolean';
  if (/^-?(?:0|[1-9]\d{0,14})$/.test(value)) return 'integer';
  if (/(?:^|_)E?MAIL(?:_FROM|_TO|_ADDRESS)?$/.test(name) && fits('email')) return 'email';
  if (/(?:^|_)(?:URL|URI|ORIGIN|ENDPOINT)$/.test(name) && fits('url')) return 'url';
  if (/^https?:\/\//.test(value) && fits('url')) return 'url';
  if (/(?:^|_)(?:DOMAIN|HOSTNAME|FQDN)$/.test(name) && fits('hostname')) return 'hostname';
  return 'text';
}

function isAsked(name: string): boolean {
  return /(?:DOMAIN|HOSTNAME|FQDN|PUBLIC_URL|BASE_URL|SITE_URL|APP_URL|ADMIN_EMAIL|HTTPS?_PORT|WEB_PORT|TIME_?ZONE|^TZ)$/.test(name);
}

function asked({ name }: Known): { readonly ask: string } {
  const words = name
    .toLowerCase()
    .split('_')
    .map(
      (word) => ({ url: 'URL', smtp: 'SMTP', api: 'API', db: 'DB', http: 'HTTP', https: 'HTTPS', id: 'ID', tz: 'time zone' })[word] ?? word,
    );
  const text = words.join(' ');
  return { ask: `${text.charAt(0).toUpperCase()}${text.slice(1)}` };
}

function helpOf({ help }: Known): { readonly help?: string } {
  return help === undefined ? {} : { help };
}

function groupOf(name: string): { readonly group?: string } {
  if (/^(?:SMTP|MAIL)_/.test(name)) return { group: 'Mail' };
  return isAsked(name) ? { group: 'Site' } : {};
}

function scalarOf(type: Variable['type'], value: string): string | number | boolean {
  if (type === 'boolean') return value === 'true';
  return (type === 'integer' || type === 'port') && !value.includes('{{') ? Number(value) : value;
}
