// One call to the fake engine, and what all its commands share. Rule: a refusal is an answer of the engine; anything else thrown is a command that nobody taught it.
import type { RunOptions, RunResult } from '../../src/model/seams.ts';
import type { EngineState, FakeContainer, FakeImage, Programs } from './engine-state.ts';
import { emptyTree } from './file-tree.ts';

/** Called half-way; whoever was killed there never comes back. */
export type Between = (what: string) => Promise<void>;

export interface Registry {
  /** Images that can be pulled. */
  readonly images: readonly FakeImage[];
  readonly programs: Programs;
}

/** With the input at hand: a call is a moment. */
export type ReadyOptions = Omit<RunOptions, 'input'> & { readonly input?: Exclude<RunOptions['input'], Promise<string> | undefined> };

export async function readyOptions({ input, ...others }: RunOptions): Promise<ReadyOptions> {
  const text = input instanceof Promise ? await input : input;
  return text === undefined ? others : { ...others, input: text };
}

/** One call under way. */
export interface Call extends Registry {
  readonly state: EngineState;
  readonly options: ReadyOptions;
  readonly between: Between;
}

/** What the engine says no to: its message on stderr, with exit code 1. */
export class Refusal extends Error {}

export function said(stdout = ''): RunResult {
  return { code: 0, stdout: stdout === '' ? '' : `${stdout}\n`, stderr: '' };
}

/** `--name value` pairs of these names, the other words in order; a flag that is not known is refused. */
export function splitArguments(
  words: readonly string[],
  valued: readonly string[],
  plain: readonly string[],
): { readonly flags: ReadonlyMap<string, readonly string[]>; readonly rest: readonly string[] } {
  const flags = new Map<string, string[]>();
  const rest: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (valued.includes(word)) {
      index += 1;
      flags.set(word, [...(flags.get(word) ?? []), words[index] ?? '']);
    } else if (plain.includes(word)) flags.set(word, []);
    else if (word.startsWith('--')) throw new Error(`fake engine: unknown flag ${word} in ${words.join(' ')}`);
    else rest.push(word);
  }
  return { flags, rest };
}

/** The image that a reference names here. */
export function imageOf(call: Call, reference: string): FakeImage {
  const id = reference.startsWith('sha256:') ? reference : call.state.images.get(reference);
  const image = call.images.find((each) => each.id === id);
  if (image === undefined) throw new Refusal(`Error response from daemon: No such image: ${reference}`);
  return image;
}

/** Stops containers as the engine does: each had its grace time. */
export function stopContainer(container: FakeContainer): void {
  if (container.state === 'running') Object.assign(container, { state: 'exited', exitCode: 0 });
}

export function addContainer(
  call: Call,
  fields: Partial<FakeContainer> & Pick<FakeContainer, 'name' | 'image' | 'imageId'>,
): FakeContainer {
  const { state } = call;
  if (findContainer(state, fields.name) !== undefined)
    throw new Refusal(`Error response from daemon: Conflict. The container name "/${fields.name}" is already in use by container`);
  state.counter += 1;
  const container: FakeContainer = {
    ...{ id: state.counter.toString(16).padStart(64, '0'), labels: {}, command: [], environment: {}, mounts: [], network: 'none' },
    ...{ publishes: false, restart: false, removeAtEnd: false, state: 'created', exitCode: 0, startedAt: 0, age: 0, worked: 0, log: '' },
    ...fields,
  };
  state.containers.set(container.id, container);
  return container;
}

export function makeVolume(
  state: EngineState,
  { name, labels = {}, options = {} }: { name: string; labels?: Record<string, string>; options?: Record<string, string> },
): void {
  if (!state.volumes.has(name)) state.volumes.set(name, { name, driver: 'local', labels, options, tree: emptyTree() });
}

export function findContainer(state: EngineState, id: string): FakeContainer | undefined {
  return [...state.containers.values()].find((each) => each.name === id || (id.length >= 12 && each.id.endsWith(id)));
}
