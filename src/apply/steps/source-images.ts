// Images of a git checkout: built from its tree, and known by the names in its compose files. Rule: a name that moves leaves its former image under another one, for the way back.
import { ToolError } from '../../model/error.ts';
import { parseFlag, parseMap, parseText } from '../../model/parse.ts';
import type { Step } from '../../model/plan.ts';
import { imageIds, notSo } from '../../world/containers.ts';
import { docker, dockerIfThere, runCompose } from '../../world/docker.ts';
import type { Handler, Handlers, Site } from '../handler.ts';

/** The last lines of a build that a person is shown. */
const LINES = 20;

const buildServices: Handler<'build-services'> = {
  done: async () => false, // a tag says nothing of the tree it was built from
  save: async (step, site) => {
    const ids = await localIds(step, site);
    return { present: Object.fromEntries(step.services.map(({ local }) => [local, ids.has(local)])) };
  },
  run: async (step, site) => {
    const heard: string[] = [];
    const onLine = (line: string): void => {
      site.world.report({ type: 'output', source: 'build', line });
      heard.push(line);
      if (heard.length > LINES) heard.shift();
    };
    const names = step.services.map(({ service }) => service);
    const { code } = await runCompose(site, step.project, ['build', ...names], { onLine, ...(site.stop && { stop: site.stop }) });
    if (code !== 0)
      throw new ToolError('E_STEP_FAILED', `the images could not be built (exit code ${code}):\n${heard.join('\n')}`, {
        hint: 'Nothing was stopped. Mend what the build says, or take the images of the registry: --use-registry.',
      });
    const ids = await localIds(step, site);
    const lacking = step.services.find(({ local }) => !ids.has(local));
    if (lacking !== undefined) throw notSo(`the image of ${lacking.service} was built`);
  },
  undo: async (step, saved, site) => {
    const present = parseMap(saved.present, 'saved.present', parseFlag);
    for (const { local } of step.services) if (present[local] === false) await dropTag(local, site);
  },
};

const moveTags: Handler<'move-tags'> = {
  done: async (step, site) => {
    const ids = await idsOf(step, site);
    return step.tags.every(({ name, from }) => ids.has(from) && ids.get(name) === ids.get(from));
  },
  save: async (step, site) => {
    const ids = await idsOf(step, site);
    return { before: Object.fromEntries(step.tags.map(({ name }) => [name, ids.get(name) ?? ''])) };
  },
  run: async (step, site) => {
    const ids = await idsOf(step, site);
    for (const { name, from, keep } of step.tags) {
      if (ids.get(name) === ids.get(from)) continue;
      if (ids.has(name) && !ids.has(keep)) await docker(site, ['tag', name, keep]); // `image prune` takes what has no name
      await docker(site, ['tag', from, name]);
    }
  },
  undo: async (step, saved, site) => {
    const before = parseMap(saved.before, 'saved.before', (value, where) => (value === '' ? '' : parseText(value, where)));
    const ids = await idsOf(step, site);
    for (const { name, keep } of step.tags) {
      const id = before[name] ?? '';
      if (id === '') await dropTag(name, site);
      else if (ids.get(name) !== id) await docker(site, ['tag', ids.get(keep) === id ? keep : id, name]);
      if (ids.has(keep)) await dropTag(keep, site);
    }
    const now = await idsOf(step, site);
    const lost = step.tags.find(({ name }) => (now.get(name) ?? '') !== (before[name] ?? ''));
    if (lost !== undefined) throw notSo(`${lost.name} is the image that it was`);
  },
};

/** The handlers of a checkout's images. */
export const sourceImageSteps = { 'build-services': buildServices, 'move-tags': moveTags } satisfies Partial<Handlers>;

function localIds(step: Step<'build-services'>, site: Site): Promise<Map<string, string>> {
  return imageIds(
    site,
    step.services.map(({ local }) => local),
  );
}

function idsOf(step: Step<'move-tags'>, site: Site): Promise<Map<string, string>> {
  return imageIds(
    site,
    step.tags.flatMap(({ name, from, keep }) => [name, from, keep]),
  );
}

async function dropTag(reference: string, site: Site): Promise<void> {
  await dockerIfThere(site, ['image', 'rm', reference]);
}
