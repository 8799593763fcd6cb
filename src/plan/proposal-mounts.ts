// What the containers of a compose file keep, and what is shipped for them. Rule: what a person may have written is data, what lies here is the bundle's, what develops is left out.
import { posix } from 'node:path';
import { type Document, isMap, isScalar, isSeq, type YAMLSeq } from 'yaml';
import { fillReferences } from '../model/interpolation.ts';
import type { Problem } from '../model/problem.ts';
import { composeHolders } from './compose-holders.ts';
import { buildOf } from './compose-merge.ts';
import { fieldsOf } from './compose-parts.ts';
import { type ComposeFields, decision, type Proposed, type Remarks } from './proposal.ts';
import { dataOfVolume } from './proposal-data.ts';

/** What lies at a path of the product's folder. */
export type PathKind = 'file' | 'folder' | 'empty' | 'missing';

export interface ProposedMounts extends Remarks {
  readonly data: Readonly<Record<string, Proposed<ComposeFields>>>;
  /** Files and folders that the bundle ships under their own paths. */
  readonly files: readonly string[];
  readonly folders: readonly string[];
  readonly userOwned: readonly string[];
  readonly hostPaths: readonly string[];
}

export interface MountsInput {
  readonly document: Document;
  readonly services: Readonly<Record<string, ComposeFields>>;
  readonly kinds: ReadonlyMap<string, PathKind>;
  readonly values: ReadonlyMap<string, string>;
}

export interface Mount {
  readonly kind: 'named' | 'bind' | 'anonymous' | 'other';
  /** Variables are filled in; a path inside of the folder has no `./`. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

interface Gathered {
  readonly data: Record<string, Proposed<ComposeFields>>;
  readonly files: Set<string>;
  readonly folders: Set<string>;
  readonly userOwned: Set<string>;
  readonly hostPaths: Set<string>;
  readonly reviews: string[];
  readonly problems: Problem[];
}

const SOURCE_PLACES = /^\/(?:app|code|src|srv|workspace|var\/www|usr\/src|home\/\w+|opt)(?:\/|$)/;
const SETTING_PLACES =
  /^\/(?:etc|docker-entrypoint[\w.-]*|usr\/share|usr\/local\/etc)(?:\/|$)|\/(?:conf(?:ig|\.d)?s?|provisioning)(?:\/|$)/;

/** Looks at every mount; in the document anonymous volumes get names, and mounts of source code go. */
export function proposeMounts(input: MountsInput): ProposedMounts {
  const gathered: Gathered = {
    ...{ data: {}, reviews: [], problems: [] },
    ...{ files: new Set(), folders: new Set(), userOwned: new Set(), hostPaths: new Set() },
  };
  for (const { node, services } of composeHolders(input.document)) {
    const volumes = node.get('volumes');
    if (!isSeq(volumes)) continue;
    const kept = volumes.items.filter((item, index) =>
      takeMount({ item, index, service: services[0] ?? '' }, volumes, { input, gathered }),
    );
    if (kept.length === 0) node.delete('volumes');
    else volumes.items = kept;
  }
  takeDevices(input, gathered);
  takeConfigs(input, gathered);
  const { data, reviews, problems, files, folders, userOwned, hostPaths } = gathered;
  const shipped = [...files].filter((path) => ![...files].some((other) => other !== path && path.startsWith(`${other}/`)));
  return { data, reviews, problems, files: shipped, folders: [...folders], userOwned: [...userOwned], hostPaths: [...hostPaths] };
}

/** One entry of `volumes`. */
export function readMount(item: unknown, values: ReadonlyMap<string, string>): Mount {
  const fill = (text: string): string => fillReferences(text.replace(/\$\{?PWD\}?/g, '.'), (name) => values.get(name));
  if (typeof item !== 'string') {
    const { type, source, target, read_only: readOnly } = fieldsOf(item);
    const from = typeof source === 'string' ? fill(source) : '';
    const kind = type === 'bind' ? 'bind' : type !== 'volume' ? 'other' : from === '' ? 'anonymous' : 'named';
    return { kind, source: kind === 'bind' ? insideOf(from) : from, target: String(target), readOnly: readOnly === true };
  }
  const [source = '', target, mode = ''] = fill(item).split(':');
  if (target === undefined) return { kind: 'anonymous', source: '', target: source, readOnly: false };
  const readOnly = mode.split(',').includes('ro');
  return /^[./~]/.test(source) ? { kind: 'bind', source: insideOf(source), target, readOnly } : { kind: 'named', source, target, readOnly };
}

interface Item {
  readonly item: unknown;
  readonly index: number;
  readonly service: string;
}

interface Taking {
  readonly input: MountsInput;
  readonly gathered: Gathered;
}

/** False when the mount is left out. */
function takeMount({ item, index, service }: Item, volumes: YAMLSeq, { input, gathered }: Taking): boolean {
  const plain = isScalar(item) ? String(item.value) : isMap(item) ? item.toJSON() : item;
  const mount = readMount(plain, input.values);
  if (mount.kind === 'named' && !mount.readOnly) addVolume(mount.source, { mount, service }, { input, gathered });
  if (mount.kind === 'anonymous') nameVolume(volumes, { index, service }, mount, { input, gathered });
  if (mount.kind !== 'bind') return true;
  if (mount.source.startsWith('/')) gathered.hostPaths.add(posix.normalize(mount.source));
  if (/^(?:\/|~|\.\.)/.test(mount.source)) return true;
  if (isDevelopment(mount, input.services[service] ?? {}, input)) {
    gathered.reviews.push(`${service}: the mount of ./${mount.source} at ${mount.target} is for development, and was left out`);
    return false;
  }
  takeBind(mount, { node: item, service }, { input, gathered });
  return true;
}

interface Mounted {
  readonly mount: Mount;
  readonly service: string;
}

function addVolume(name: string, { mount, service }: Mounted, { input, gathered }: Taking): void {
  const volumes = fieldsOf(fieldsOf(input.document.toJS({ maxAliasCount: 1000 })).volumes);
  const isExternal = fieldsOf(volumes[name]).external !== undefined;
  if (gathered.data[name]?.value.backup === undefined) {
    gathered.data[name] = dataOfVolume(name, mount.target, { name: service, ...input.services[service] });
  }
  if (isExternal) gathered.reviews.push(`the volume ${name} is external: it must be there before the install`);
}

/** What has no name is lost with its container. */
function nameVolume(volumes: YAMLSeq, { index, service }: Omit<Item, 'item'>, mount: Mount, { input, gathered }: Taking): void {
  const name = `${service}-${posix.basename(mount.target).replace(/[^A-Za-z0-9_-]/g, '') || 'data'}`;
  const item = volumes.items[index];
  if (isMap(item)) item.set('source', name);
  else if (isScalar(item)) item.value = `${name}:${mount.target}`;
  input.document.setIn(['volumes', name], null);
  addVolume(name, { mount, service }, { input, gathered });
  gathered.reviews.push(`${service}: the volume at ${mount.target} had no name, and is called ${name} now`);
}

/** Source code of what is built from this very folder. */
function isDevelopment({ source, target }: Mount, service: ComposeFields, { kinds }: MountsInput): boolean {
  if (service.build === undefined) return false;
  const context = insideOf(String(buildOf(service.build).context ?? '.'));
  const within = context === '.' || source === context || source.startsWith(`${context}/`);
  return within && (source === '.' || (SOURCE_PLACES.test(target) && (kinds.get(source) === 'folder' || kinds.get(source) === 'file')));
}

function takeBind(mount: Mount, { node, service }: { node: unknown; service: string }, { input, gathered }: Taking): void {
  const { source, target, readOnly } = mount;
  const kind = input.kinds.get(source) ?? 'missing';
  const isSetting = SETTING_PLACES.test(target);
  if (kind === 'file' || (kind === 'folder' && (readOnly || isSetting))) {
    gathered.files.add(source);
    if (kind === 'folder' && !readOnly) makeReadOnly(node, `${service}: ./${source} is shipped, so it is mounted read-only`, gathered);
  } else if (kind === 'missing' && /\.[a-z]{2,5}$/.test(posix.basename(source))) {
    const hint = `Put it there and add it to bundle.files, or remove the mount.`;
    gathered.problems.push(decision(`services.${service}`, `${service} mounts ./${source}, which is not here`, hint));
  } else if (readOnly || isSetting) {
    gathered.folders.add(source);
    gathered.userOwned.add(`${source}/`);
    gathered.reviews.push(`./${source} is shipped empty, and belongs to the people who run this`);
  } else {
    const name = source.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'data';
    const review = kind === 'folder' ? 'what is in it here is not shipped' : undefined;
    gathered.data[name] ??= { value: { path: `./${source}` }, ...(review === undefined ? {} : { review }) };
    gathered.folders.add(source);
  }
}

function makeReadOnly(node: unknown, review: string, gathered: Gathered): void {
  if (isMap(node)) node.set('read_only', true);
  if (isScalar(node)) {
    const hasMode =
      String(node.value)
        .replace(/\$\{[^}]*\}/g, 'x')
        .split(':').length > 2;
    node.value = `${String(node.value)}${hasMode ? ',' : ':'}ro`;
  }
  gathered.reviews.push(review);
}

/** Volumes that are folders of the machine. */
function takeDevices({ document, values }: MountsInput, { hostPaths }: Gathered): void {
  for (const volume of Object.values(fieldsOf(fieldsOf(document.toJS({ maxAliasCount: 1000 })).volumes))) {
    const { device } = fieldsOf(fieldsOf(volume).driver_opts);
    const path = typeof device === 'string' ? fillReferences(device, (name) => values.get(name)) : '';
    if (path.startsWith('/')) hostPaths.add(posix.normalize(path));
  }
}

/** Files of `configs` are shipped. */
function takeConfigs({ document, kinds }: MountsInput, { files, problems }: Gathered): void {
  for (const [name, config] of Object.entries(fieldsOf(fieldsOf(document.toJS({ maxAliasCount: 1000 })).configs))) {
    const { file, external } = fieldsOf(config);
    const hint = 'Give it as a file of the product, or as `content`.';
    if (external !== undefined) problems.push(decision(`configs.${name}`, `the config ${name} is external, which only a swarm has`, hint));
    if (typeof file !== 'string' || /^[/~$]/.test(file)) continue;
    const path = insideOf(file);
    if ((kinds.get(path) ?? 'missing') === 'missing')
      problems.push(decision(`configs.${name}`, `the config ${name} is ./${path}, which is not here`, hint));
    else files.add(path);
  }
}

/** `./conf/` as `conf`. */
function insideOf(source: string): string {
  return source.startsWith('/') || source.startsWith('~') ? source : posix.normalize(source).replace(/(?<=.)\/$/, '');
}
