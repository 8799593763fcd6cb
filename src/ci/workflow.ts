// A workflow as data, the same for both forges. Rule: a step is a pinned action or shell lines; values reach the shell through `env`, never inside of its text.
import type { Forge } from '../model/ci-rules.ts';
import type { Product } from '../model/product.ts';

/** What workflows are made from. */
export interface CiScene {
  readonly product: Product;
  readonly forge: Forge;
  /** The product file's folder below the repository's top, with `/` at its end; empty at the top. */
  readonly folder: string;
  /** The product file's name, and the digest of its text. */
  readonly source: { readonly file: string; readonly digest: string };
}

export interface Workflow {
  /** The file's name without its ending, below the forge's folder. */
  readonly name: string;
  readonly title: string;
  readonly on: Triggers;
  /** Runs of one group wait for each other. */
  readonly group?: string;
  readonly jobs: readonly Job[];
}

export interface Triggers {
  readonly branches?: readonly string[];
  readonly tags?: readonly string[];
  /** For pushes to branches and for pull requests; tags always count. */
  readonly paths?: readonly string[];
  readonly pullRequests?: boolean;
  /** Inputs of a run that a person starts; undefined = nobody can. */
  readonly dispatch?: Readonly<Record<string, DispatchInput>>;
  readonly schedule?: string;
}

export interface DispatchInput {
  readonly description: string;
  readonly required: boolean;
  readonly options?: readonly string[];
}

export type Permission = 'contents' | 'packages' | 'issues' | 'pull-requests';
export type Permissions = Readonly<Partial<Record<Permission, 'read' | 'write'>>>;

export interface Job {
  readonly id: string;
  readonly title: string;
  readonly needs?: readonly string[];
  readonly if?: string;
  readonly permissions: Permissions;
  /** One run for each value, as `matrix.image`. */
  readonly images?: readonly string[];
  readonly outputs?: Readonly<Record<string, string>>;
  /** True for a job that checks nothing out, so that the product's folder is not there. */
  readonly withoutSources?: true;
  /** Before the first marked place: getting the sources and the tools. */
  readonly setup: readonly Step[];
  readonly steps: readonly Step[];
}

export interface Step {
  readonly name: string;
  readonly id?: string;
  readonly if?: string;
  readonly uses?: Action;
  readonly with?: Readonly<Record<string, string | number | boolean>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: readonly string[];
}

/** An action by the commit of a release, as its repository on GitHub had it. */
export interface Action {
  readonly repository: string;
  readonly commit: string;
  readonly release: string;
}

export const CHECKOUT: Action = { repository: 'actions/checkout', commit: '11bd71901bbe5b1630ceea73d27597364c9af683', release: 'v4.2.2' };
export const SETUP_NODE: Action = {
  repository: 'actions/setup-node',
  commit: '49933ea5288caeca8642d1e84afbd3f7d6820020',
  release: 'v4.4.0',
};
export const SCRIPT: Action = {
  repository: 'actions/github-script',
  commit: '60a0d83039c74a4aee543508d2ffcb1c3799cdea',
  release: 'v7.0.1',
};
export const SETUP_QEMU: Action = {
  repository: 'docker/setup-qemu-action',
  commit: '29109295f81e9208d7d86ff1c6c12d2833863392',
  release: 'v3.6.0',
};

/** `${{ text }}`. */
export function expression(text: string): string {
  return `\${{ ${text} }}`;
}

/** A secret by its name. */
export function secret(name: string): string {
  return expression(`secrets.${name}`);
}
