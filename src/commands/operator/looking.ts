// What stands before an upgrade, looked at while its channel and its release are on their way. Rule: reads only; what goes wrong is told to whoever waits for it.
import type { ContainerFact, EngineFacts, InstallFacts } from '../../model/facts.ts';
import type { Run, World } from '../../model/seams.ts';
import { observeContainers, observeStanding } from '../../observe/engine.ts';
import { type EngineVersion, observeEngineVersion } from '../../observe/machine.ts';
import { observeUnsharedImages } from '../../observe/removal.ts';

export interface Standing {
  /** Containers have the hashes that they were started with. */
  readonly engine: EngineFacts;
  readonly localImages: readonly string[];
}

/** What is being looked at. */
export interface Looking {
  /** What the install was when that began. */
  readonly install: InstallFacts;
  /** Without Compose's version, where docker itself need not be asked. */
  readonly engine: Promise<EngineVersion>;
  readonly containers: Promise<readonly ContainerFact[]>;
  readonly standing: Promise<Standing>;
  /** True once that has come to nothing: a Compose that is missing says so at once. */
  readonly hasFailed: () => boolean;
  /** Ends what still reads; nobody waits for it any more. */
  readonly end: () => void;
}

export function lookAround(world: World, install: InstallFacts): Looking {
  const { root, project, record } = install;
  const ending = new AbortController();
  const run: Run = (argv, options) => world.run(argv, { ...options, stop: ending.signal });
  const reading = { ...world, run };
  const engine = observeEngineVersion(reading, { asksCompose: false });
  const containers = observeContainers(reading, root, project.name);
  const both = Promise.all([observeStanding(reading, root, { project, listed: containers }), observeUnsharedImages(reading, root, record)]);
  const standing = both.then(([facts, localImages]) => ({ engine: facts, localImages }));
  let failed = false;
  for (const each of [engine, containers]) each.catch(() => undefined); // preflight, which comes first, says it better
  standing.catch(() => {
    failed = true;
  });
  return { install, engine, containers, standing, hasFailed: () => failed, end: () => ending.abort() };
}
