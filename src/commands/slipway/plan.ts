// plan release: everything that the next release would do. Rule: reads only; what is not there yet is told, and stops nothing.
import { digestOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import type { HostAddress } from '../../model/host.ts';
import type { ResolvedImage } from '../../model/image.ts';
import type { TableImage } from '../../model/image-table.ts';
import type { Manifest } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import { type Problem, sortProblems } from '../../model/problem.ts';
import { channelOf, channelsIncluding, mainChannelOf, tagOf } from '../../model/tag.ts';
import { observeCheckout } from '../../observe/checkout.ts';
import { observeIdentity } from '../../observe/identity.ts';
import { observeNotes } from '../../observe/notes.ts';
import { observeProductImages } from '../../observe/product-images.ts';
import { type HostFacts, observeHost } from '../../observe/published.ts';
import { planNotes } from '../../plan/notes.ts';
import { manifestOf } from '../../plan/pack.ts';
import { type PlannedHost, planRelease } from '../../plan/release-plan.ts';
import { releasePlanToMarkdown, releasePlanToText } from '../../plan/release-plan-text.ts';
import { type Command, type CommandResult, type Context, textFlag } from '../command.ts';
import { assess, type Inspection, inspectProduct } from './inspect.ts';
import { DEFAULT_OUT } from './own-folders.ts';
import { NOTES_FLAGS, previousManifest, withoutNotes } from './previous-release.ts';
import { chooseHosts, HOST_FLAGS, PRODUCT_FLAGS, type ProductFile, type ReleaseHosts, readProductFile } from './product-file.ts';
import type { ChosenRelease } from './release-choice.ts';
import { chooseVersion } from './reserve-choice.ts';

export const plan: Command = {
  name: 'plan',
  summary: 'what the next release would do',
  usage: 'release',
  flags: {
    channel: { type: 'string', value: 'C', help: 'the channel it is for (default: stable)' },
    version: { type: 'string', value: 'V', help: 'this version instead of the next' },
    tag: { type: 'string', value: 'TAG', help: 'the same, as a tag' },
    format: { type: 'string', value: 'F', help: 'text, or markdown for a comment on a pull request' },
    ...HOST_FLAGS,
    ...NOTES_FLAGS,
    ...PRODUCT_FLAGS,
  },
  run: async (context) => {
    const [what, extra] = context.positionals;
    if (what !== 'release' || extra !== undefined) {
      throw new ToolError('E_USAGE', 'plan release?', { hint: `See \`${context.program} plan --help\`.` });
    }
    const format = formatOf(context);
    const file = await readProductFile(context);
    const release = await nextRelease(context, file);
    return planOf(context, { file, release, format });
  },
};

interface Planning {
  readonly file: ProductFile;
  readonly release: ChosenRelease;
  readonly format: 'text' | 'markdown';
}

async function planOf(context: Context, { file, release, format }: Planning): Promise<CommandResult> {
  const { product, root } = file;
  const inspection = await inspectProduct(context, DEFAULT_OUT);
  const operator = { file: '', size: 0, sha256: digestOf('') }; // nothing is packed
  const { table } = assess(inspection, { release, operator });
  const resolved = await observeImages(table, inspection, context);
  const { items, problems } = assess(inspection, { release, operator, resolved });
  const made = momentOf(context.world.now());
  const facts = { product, commit: inspection.checkout.commit, made, items, images: resolved, operator, installer: '', packed: undefined };
  const manifest = { ...manifestOf(release, facts), artifact: { name: '', tarSha256: digestOf('') } } satisfies Manifest;
  const previous = await previousManifest(context, file, manifest, release.version);
  const texts = await observeNotes(root, product.release.notes, release.version);
  const notes = planNotes(product, texts, { version: release.version, manifest, previous, ...withoutNotes(context) });
  const hosts = chooseHosts(context, file);
  const seen = await observeHosts(context, file, { hosts, release, commit: inspection.checkout.commit });
  const authority = seen.find(({ host }) => host.name === hosts.authority.name)?.facts;
  const channels = new Map([
    [release.channel, authority?.channel],
    ...[...(authority?.including ?? [])].map(([name, state]) => [name, state.channel] as const),
  ]);
  const found = planRelease({
    ...{ manifest, previous, table, channels, rules: product.release.channels, notes: notes.markdown },
    hosts: seen.map((each) => plannedHost(each, hosts)),
    problems: told([...problems, ...notes.problems]),
  });
  return { fields: { ...found }, text: format === 'markdown' ? releasePlanToMarkdown(found) : releasePlanToText(found) };
}

/** Images without a digest are told as images. */
function told(problems: readonly Problem[]): Problem[] {
  return sortProblems(problems.filter(({ code }) => code !== 'E_IMAGE_UNPINNED'));
}

function formatOf({ flags }: Context): Planning['format'] {
  const format = textFlag(flags, 'format') ?? 'text';
  if (format === 'text' || format === 'markdown') return format;
  throw new ToolError('E_USAGE', `--format ${format}`, { hint: 'text or markdown; --json gives all of it as data.' });
}

/** The version that `reserve` would take now; nothing is reserved. */
async function nextRelease(context: Context, file: ProductFile): Promise<ChosenRelease> {
  const { release } = file.product;
  const { authority } = chooseHosts(context, file);
  const { commit } = await observeCheckout(file.root, context.world);
  const by = await observeIdentity(file.root, context.world, true);
  const isNamed = textFlag(context.flags, 'version') ?? textFlag(context.flags, 'tag');
  const channel = textFlag(context.flags, 'channel') ?? (isNamed === undefined ? mainChannelOf(release.channels) : undefined);
  const flags = { ...context.flags, ...(channel === undefined ? {} : { channel }) };
  const { version } = await chooseVersion({ ...context, flags }, { file, authority, commit, by });
  return { version, tag: tagOf(release.tag, version), channel: channelOf(release.channels, version) ?? channel ?? '' };
}

/** Those that a registry has: own images of the next version may not be built yet. */
async function observeImages(table: readonly TableImage[], { lock }: Inspection, { world }: Context): Promise<ResolvedImage[]> {
  const found: ResolvedImage[] = [];
  for (const image of table) {
    try {
      found.push(...(await observeProductImages({ table: [image], lock }, world)));
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      world.report({ type: 'note', text: `${image.name}: ${error.message}` });
    }
  }
  return found;
}

interface SeenHost {
  readonly host: HostAddress;
  readonly facts?: HostFacts;
  readonly error?: ToolError;
}

async function observeHosts(
  { world }: Context,
  { product }: ProductFile,
  { hosts, release, commit }: { readonly hosts: ReleaseHosts; readonly release: ChosenRelease; readonly commit: string | null },
): Promise<SeenHost[]> {
  const { tag, channel } = release;
  const including = channelsIncluding(product.release.channels, channel);
  const publicKey = product.release.publicKey ?? null;
  const wanted = { tag, commit, assets: [], replace: false };
  const all = [...new Map([hosts.authority, ...hosts.targets].map((host) => [host.name, host])).values()];
  const look = async (host: HostAddress): Promise<SeenHost> => {
    try {
      return { host, facts: await observeHost({ host, product: product.product, tag, channel, including, publicKey, wanted }, world) };
    } catch (error) {
      if (error instanceof ToolError) return { host, error };
      throw error;
    }
  };
  return Promise.all(all.map(look));
}

function plannedHost({ host, facts, error }: SeenHost, { authority }: ReleaseHosts): PlannedHost {
  const about = { name: host.name, authority: host.name === authority.name };
  if (facts === undefined) return { ...about, outcome: 'unreachable', problems: [error?.message ?? ''] };
  const problems = facts.problems.map(({ message }) => message);
  return { ...about, outcome: facts.published === undefined ? 'publish' : 'published-already', problems };
}
