// The schema of slipway.yaml, the whole of it. Rule: this is the one truth about names and shapes; it changes nothing (units and lists are normalised later).
import * as z from 'zod';
import { BUILD_CACHES } from './build-rules.ts';
import { VARIABLE_TYPES } from './description.ts';
import { ciSchema } from './schema-ci.ts';
import { dataItem } from './schema-data.ts';
import * as part from './schema-parts.ts';
import { SECRET_KINDS } from './secret-rule.ts';
import { TAG_PATTERN, VERSION_GRAMMARS } from './tag.ts';

const { either, text, texts } = part;
const flag = z.boolean();

const host = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('folder'), path: text, url: part.url.optional() }),
  z.strictObject({ type: z.literal('github'), repository: part.repository, token: part.variableName.optional(), url: part.url.optional() }),
  z.strictObject({ type: z.literal('gitea'), url: part.url, repository: part.repository, token: part.variableName.optional() }),
  z.strictObject({ type: z.literal('oci'), repository: text }),
  z.strictObject({ type: z.literal('git'), url: part.gitAddress }),
]);

const channel = z.strictObject({
  branch: text.optional(),
  prerelease: part.prereleaseName.optional().describe('Takes X.Y.Z-<name>.N'),
  float: texts.optional(),
  promoteFrom: text.optional(),
  includes: texts.optional(),
  versions: part.range.optional().describe('A maintenance line, such as 2.3.x: it takes these versions, and never becomes latest'),
});

const grammar = z.enum(VERSION_GRAMMARS);
const tagPattern = z.string().regex(TAG_PATTERN, 'a tag with one {version} in it, such as v{version}, of letters, digits, ., - and _');

const release = z
  .strictObject({
    tag: tagPattern.describe('The git tag of a release, such as bundle-v{version}'),
    versions: grammar.default('semver').describe('What stands for {version}; dated = MAJOR.SEQ.YYYYMMDD'),
    base: part.versionSource.default('git').describe('Where the next version comes from: file.json#key, a text file, or git'),
    formerTags: z
      .array(z.strictObject({ tag: tagPattern, versions: grammar.default('semver'), artifact: part.assetName.optional() }))
      .default([]),
    artifact: part.assetName.optional().describe('The bundle’s file name; default <product>-bundle-{version}.tar.gz'),
    aliases: z.array(part.assetName).default([]),
    repositories: z.array(part.gitRepository).default([]).describe('Further repositories for `tag-all`'),
    notes: part.pathInside.optional().describe('The changelog file of a version, such as docs/changelogs/{base}.md'),
    channels: z.record(part.channelName, channel).default({ stable: {} }),
    expires: either('a duration such as 365d, or never', [z.literal('never'), part.duration]).default('365d'),
    publicKey: text.optional().describe('The minisign public key that signs releases'),
    nextPublicKey: text.optional().describe('The key that is to follow it: see `slipway keys rotate`'),
    hosts: z.record(part.keyName, host).default({ local: { type: 'folder', path: 'dist/releases' } }),
    publishTo: texts.min(1).optional().describe('Default: all hosts in the order written'),
    authority: text.optional().describe('The host that decides versions; default the first of publishTo'),
    allowReplace: flag.default(false),
  })
  .superRefine(({ hosts, publishTo, authority }, context) => {
    const deciding = authority ?? publishTo?.[0] ?? Object.keys(hosts)[0] ?? '';
    if (!Object.hasOwn(hosts, deciding) || hosts[deciding]?.type !== 'oci') return;
    const message = 'a host that can refuse a second writer (an oci registry cannot)';
    context.addIssue({ code: 'custom', path: [authority === undefined ? 'publishTo' : 'authority'], message });
  });

const serviceCommand = z.strictObject({ service: text, command: part.command });

const hostFile = z.strictObject({
  from: part.pathInside.describe('The template: {{NAME}} becomes the value of a variable'),
  to: part.pathInside,
  mode: part.fileMode.optional().describe('Default 0644; must be said when the template holds a secret'),
  when: part.when.optional(),
});

const bundle = z.strictObject({
  compose: either('a path or a list of paths', [part.pathInside, z.array(part.pathInside).min(1)]).default('docker-compose.yml'),
  env: part.pathInside.optional(),
  files: z.array(z.strictObject({ from: part.pathOrHere, to: part.pathOrHere.default('.'), exclude: texts.default([]) })).default([]),
  hostFiles: z.array(hostFile).default([]).describe('Files of the install that are rendered on the host from the answers'),
  validate: z.array(serviceCommand).default([]),
  folders: z.array(part.pathInside).default([]),
  userOwned: z.array(part.pathInside).default([]),
  hostPaths: z.array(part.absolutePath).default([]),
  shims: z.record(part.pathInside, text).default({}),
  values: z.record(z.string(), z.unknown()).default({}),
});

const ownImage = z.strictObject({
  repository: part.repositoryPath.optional(),
  context: part.pathOrHere.optional().describe('The folder it is built from; without it, it is built elsewhere'),
  dockerfile: part.pathInside.optional().describe('Default: Dockerfile in the context'),
  target: part.stageName.optional(),
  args: z.record(part.variableName, part.scalar).optional().describe('Build arguments, with {version} {commit} {date} {image:NAME}'),
  platforms: z.array(part.platform).default([]),
  tag: part.imageTag.default('{version}'),
  paths: z.array(part.pathInside).min(1, 'at least one pattern').optional().describe('What it is made of, for --changed-since'),
  needs: texts.optional().describe('Own images that it is built from'),
  cache: z.enum(BUILD_CACHES).optional(),
  release: tagPattern.optional().describe('The image’s own git tags, such as api-v{version}'),
  version: part.version.optional().describe('The version that a bundle has of it, where it is not the bundle’s own'),
  optIn: flag.optional().describe('Built only when it is named'),
});

const thirdPartyImage = either('an image such as docker.io/library/postgres:16, or { source, as, tags, to }', [
  part.imageSource,
  z.strictObject({
    source: part.imageSource,
    as: part.imageName.optional(),
    tags: texts.optional().describe('Tags to mirror, patterns such as "/^1\\.2\\./", digests, or "*" for the whole repository'),
    asTags: texts.optional().describe('What the tags are called at the destination, in their order'),
    platforms: z.array(part.platform).min(1, 'at least one platform').optional().describe('Mirror these platforms alone; all by default'),
    to: z.array(z.string()).optional().describe('Further registries to mirror to'),
  }),
]);

const tagRules = z.array(part.tagRule);

const images = z.strictObject({
  registry: part.registryPath.optional(),
  registryVariable: part.variableName
    .optional()
    .describe('Compose files name the registry by this variable, for sites with a mirror of their own'),
  mirror: flag.default(true).describe('False: third-party images are pulled from upstream, and not from `registry`'),
  login: z.enum(['none', 'ask']).default('none'),
  own: z.record(part.imageName, ownImage).default({}),
  thirdParty: z.record(part.keyName, z.array(thirdPartyImage)).default({}),
  tags: z
    .strictObject({ main: tagRules.optional(), release: tagRules.optional(), branch: tagRules.optional() })
    .optional()
    .describe('The tags of a build, per event'),
  branchNamespace: part.namespacePattern.optional(),
});

const feature = z.strictObject({
  profiles: z.array(part.composeName).optional(),
  ask: text.optional(),
  default: either('true, false or one of the choices', [flag, text]).default(false),
  memory: part.size.optional(),
  requires: z.array(part.keyName).optional().describe('Features that are switched on with this one'),
  choices: z
    .record(part.keyName, z.array(part.composeName))
    .optional()
    .describe('One of these is chosen: its name, and the profiles that it switches on'),
});

const secret = either(`one of ${SECRET_KINDS.join(', ')}`, [
  z.enum(SECRET_KINDS),
  z.strictObject({ jwt: part.variableName, claims: z.record(text, part.scalar), expires: part.duration.optional() }),
  z.strictObject({ bcrypt: part.variableName }),
]);

const variable = z.strictObject({
  group: text.optional(),
  ask: text.optional(),
  help: text.optional(),
  type: z.enum(VARIABLE_TYPES).optional(),
  required: flag.optional(),
  default: part.scalar.optional(),
  choices: z.array(part.scalar).min(1).optional(),
  pattern: text.optional(),
  sensitive: flag.optional(),
  secret: secret.optional(),
  length: z.int().min(8).max(1024).optional(),
  immutable: flag.optional(),
  when: part.when.optional(),
  deprecated: text.optional(),
  renamedFrom: part.variableName.optional(),
  reveal: z.literal('once').optional().describe('Shown to the person at the terminal when it was generated, and nowhere else'),
  file: part.pathInside.optional().describe('The env file it lives in, such as env/api.env; services read it with env_file. Default .env'),
  rotate: serviceCommand
    .optional()
    .describe(
      'Takes the new value, one line on stdin, into use; again with the same value it does no harm, and when it fails the former one stays',
    ),
});

const port = either('a port number or "{{VARIABLE}}"', [part.portNumber, part.portText]);

const requires = z.strictObject({
  docker: part.range.optional(),
  compose: part.range.optional(),
  memory: part.size.optional(),
  disk: part.size.optional(),
  ports: z
    .array(
      either('a port number, "{{VARIABLE}}" or { port, protocol, when }', [
        part.portNumber,
        part.portText,
        z.strictObject({ port, protocol: z.enum(['tcp', 'udp']).default('tcp'), when: part.when.optional() }),
      ]),
    )
    .default([]),
  platforms: z.array(part.platform).default([]),
});

const service = z.strictObject({
  kind: z.enum(['job']).optional(),
  optional: flag.optional(),
  writer: flag.optional(),
  external: z
    .strictObject({ ask: text.optional(), variables: z.array(part.variableName).min(1, 'at least one variable') })
    .optional()
    .describe(
      'A site may use a server of its own: these variables are asked for, and the service, with a profile of its name, is left out',
    ),
});

const migration = z.strictObject({
  service: text,
  command: part.command,
  needs: texts.default([]),
  on: z.array(z.enum(['install', 'upgrade'])).default(['install', 'upgrade']),
  timeout: either('a duration such as 10m, or none', [z.literal('none'), part.duration]).default('none'),
});

const probe = z.strictObject({
  http: part.probeUrl.optional(),
  status: z.int().min(100).max(599).optional(),
  json: z.record(text, part.scalar).optional(),
  tcp: text.optional(),
  service: text.optional(),
  command: part.command.optional(),
  refused: flag.optional(),
  after: z.enum(['entry', 'finished']).optional().describe('finished: background work has ended, and a later release may begin'),
  when: part.when.optional(),
});

const upgrade = z.strictObject({
  from: part.range.default('*').describe('Versions that may upgrade to this one directly'),
  stop: flag.default(false),
  migrate: z.array(migration).default([]),
  entry: texts.default([]).describe('The services that open the door, started last'),
  maintenance: text.optional().describe('A service that shows a page while the door is shut'),
  health: z.array(probe).default([]),
  timeout: part.duration.default('120s'),
  probation: part.duration.default('30s'),
  finishTimeout: part.duration.optional().describe('How long an upgrade of several hops waits for probes `after: finished`; default 1h'),
});

const ignored = z.strictObject({
  code: z.string().regex(/^[EW]_[A-Z_]+$/, 'a problem code such as W_OPEN_BESIDE_DOOR'),
  path: text,
  reason: text,
});

const sync = z
  .strictObject({
    train: z.array(part.branchName).min(2, 'at least two branches').optional().describe('Branches in the order in which changes pass them'),
    remotes: z
      .array(part.gitRepository)
      .min(1, 'at least one remote')
      .default(['origin'])
      .describe('Remotes of the checkout, repositories or addresses; on each the branches are the same'),
    gate: texts.default([]).describe('Shell lines that must go well on a commit before a branch goes to it'),
  })
  .describe('The branches that `slipway sync FROM TO` moves forward');

export const productSchema = z.strictObject({
  schema: z.literal(1),
  product: part.productName.describe('Names the bundle’s top folder, the compose project and the default install folder'),
  title: text.optional(),
  cli: part.fileName.optional().describe('The operator command; default <product>ctl'),
  release,
  bundle: bundle.optional(),
  images: images.prefault({}),
  features: z.record(part.keyName, feature).default({}),
  env: z.record(part.variableName, variable).default({}),
  requires: requires.prefault({}),
  services: z.record(part.composeName, service).default({}),
  data: z.record(part.composeName, dataItem).default({}),
  backup: z
    .strictObject({
      keep: z.int().min(1).default(5),
      to: text.optional(),
      encryptTo: text
        .optional()
        .describe('Public keys of age (age1…), usually {{VARIABLE}}: backups that are asked for or scheduled are encrypted to them'),
      schedule: z.enum(['daily', 'weekly']).optional(),
    })
    .prefault({}),
  upgrade: upgrade.prefault({}),
  check: z.strictObject({ ignore: z.array(ignored).default([]) }).prefault({}),
  ci: ciSchema.prefault({}),
  sync: sync.prefault({}),
});

/** A product file that fits the schema, with its defaults, before anything is normalised. */
export type RawProduct = z.infer<typeof productSchema>;

/** The JSON Schema of slipway.yaml, for editors. */
export function productJsonSchema(): object {
  return { ...z.toJSONSchema(productSchema, { io: 'input' }), title: 'slipway.yaml' };
}
