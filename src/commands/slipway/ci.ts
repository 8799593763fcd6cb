// ci generate: the product's workflows, made from its file and kept from drifting. Rule: local files only, each replaced at once; run again, it changes nothing.
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeDurably } from '../../apply/durable.ts';
import { forgesOf, generateWorkflows, type PlannedFile, planWorkflows, sourceOf, workflowFolder } from '../../ci/generate.ts';
import { FORGES, type Forge } from '../../model/ci-rules.ts';
import { ToolError } from '../../model/error.ts';
import { didYouMean } from '../../model/near.ts';
import { type Product, readProduct } from '../../model/product.ts';
import { observeWorkflows } from '../../observe/workflows.ts';
import { readProductText } from '../../observe/workspace.ts';
import { outcomesToText, workflowFilesToText } from '../../show/workflows.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isPlanOnly, isSet, textFlag, textFlags } from '../command.ts';
import { PRODUCT_FLAGS } from './product-file.ts';

export const ci: Command = {
  name: 'ci',
  summary: 'workflows for GitHub and Gitea, generated from the product file',
  usage: 'generate',
  flags: {
    forge: { type: 'string', value: 'F', multiple: true, help: 'github or gitea (default: ci.forges, else the forges among the hosts)' },
    check: { type: 'boolean', help: 'change nothing; exit 4 and list every place that is not as it is made' },
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    const [verb, extra] = context.positionals;
    if (verb !== 'generate' || extra !== undefined) {
      throw new ToolError('E_USAGE', 'ci generate?', { hint: `See \`${context.program} ci --help\`.` });
    }
    const { text, name, root } = await readProductText(textFlag(context.flags, 'config') ?? 'slipway.yaml');
    const product = readProduct(text, name);
    const forges = chooseForges(context, product);
    const { top, folder, files } = await observeWorkflows(root, forges.map(workflowFolder), context.world);
    const file = `${folder}${basename(name)}`;
    const made = forges.flatMap((forge) => generateWorkflows({ product, forge, folder, source: sourceOf(file, text) }));
    const planned = planWorkflows(made, files, file);
    if (isSet(context.flags, 'check')) return checked(planned);
    if (isPlanOnly(context)) return planOf(planned, context);
    for (const each of planned) await carryOut(top, each);
    return { fields: { files: planned.map(({ path, outcome }) => ({ path, outcome })) }, text: outcomesToText(planned) };
  },
};

function chooseForges({ flags }: Context, product: Product): readonly Forge[] {
  const given = textFlags(flags, 'forge');
  if (given.length === 0) return forgesOf(product);
  return [...new Set(given)].map((name) => {
    const forge = FORGES.find((each) => each === name);
    if (forge !== undefined) return forge;
    throw new ToolError('E_USAGE', `there are no workflows for ${JSON.stringify(name)}`, { hint: didYouMean(name, FORGES, 'There are') });
  });
}

/** Throws E_CHANGES with every place that is not as it is made. */
function checked(planned: readonly PlannedFile[]): CommandResult {
  const files = planned.map(({ path, outcome, differences }) => ({
    path,
    outcome: outcome === 'unchanged' ? 'unchanged' : 'drifted',
    missing: outcome === 'written' && differences.length === 0,
    differences,
  }));
  const drifted = planned.filter(({ outcome }) => outcome !== 'unchanged');
  if (drifted.length === 0) return { fields: { files }, text: `${files.length} workflows are as slipway makes them\n` };
  const message = `${drifted.length} of ${files.length} workflows are not as slipway makes them:\n${workflowFilesToText(drifted).trimEnd()}`;
  throw new ToolError('E_CHANGES', message, {
    hint: 'Run `slipway ci generate` and commit; lines of your own belong between `slipway:begin own` and `slipway:end own`.',
    details: { files },
  });
}

function planOf(planned: readonly PlannedFile[], { flags }: Context): CommandResult {
  const changed = planned.filter(({ outcome }) => outcome !== 'unchanged');
  const steps = changed.map(({ path, outcome }) => ({
    kind: outcome === 'removed' ? 'remove-file' : 'write-file',
    why: outcome === 'removed' ? 'nothing of the product file asks for it' : 'it is not as the product file wants it',
    path,
  }));
  const text = workflowFilesToText(planned);
  const exit = isSet(flags, 'exit-code') && changed.length > 0 ? { exit: 4 } : {};
  return { fields: { plan: { command: 'ci generate', steps, notes: [] } }, text, ...exit };
}

async function carryOut(top: string, { path, text, outcome }: PlannedFile): Promise<void> {
  const file = join(top, path);
  if (outcome === 'removed') await rm(file, { force: true });
  if (outcome !== 'written') return;
  await mkdir(dirname(file), { recursive: true });
  await writeDurably(file, text, 0o644);
}
