// What a product says of its workflows (`ci`). Rule: data only; secrets are names and descriptions, never values.

export const FORGES = ['github', 'gitea'] as const;
export type Forge = (typeof FORGES)[number];

/** Names of the two secrets that `docker login` takes. */
export interface LoginSecrets {
  readonly username: string;
  readonly password: string;
}

/** Stages run one after the other; each is a list of shell lines. */
export interface ScheduledJob {
  readonly schedule: string;
  readonly secrets: readonly string[];
  readonly stages: Readonly<Record<string, readonly string[]>>;
}

export interface MirrorSchedule {
  readonly schedule: string;
  /** Undefined = when a mirrored image comes from the product's own registry. */
  readonly afterBuilds?: boolean;
}

export interface OutdatedSchedule {
  readonly schedule: string;
  /** An issue that is kept up to date, or a comment on every pull request. */
  readonly report: 'issue' | 'comment';
}

export interface CiRules {
  /** Undefined = the forges among the release hosts, else github. */
  readonly forges?: readonly Forge[];
  /** The label of the runners. */
  readonly runner: string;
  /** The version of Node.js for setup-node. */
  readonly node: string;
  /** Shell lines after which `slipway` is on the PATH. */
  readonly setup: readonly string[];
  /** Shell lines that test the product, before anything is reserved or built. */
  readonly validate: readonly string[];
  /** True when pull requests get the plan of the next release as a comment. */
  readonly plan: boolean;
  /** Branches besides the main one whose pushes build images. */
  readonly branches: readonly string[];
  /** What each secret is, for whoever sets it. */
  readonly secrets: Readonly<Record<string, string>>;
  /** By registry; `none` = it needs no login. */
  readonly logins: Readonly<Record<string, LoginSecrets | 'none'>>;
  /** Undefined = no workflow of that kind. */
  readonly mirror?: MirrorSchedule;
  readonly outdated?: OutdatedSchedule;
  /** When channel files get a new date; undefined = never. */
  readonly refresh?: string;
  readonly jobs: Readonly<Record<string, ScheduledJob>>;
}

/** `slipway` as a dependency in the package.json beside the product file, exactly as its lock file has it. */
export const DEFAULT_SETUP: readonly string[] = ['npm ci --ignore-scripts', 'echo "$PWD/node_modules/.bin" >> "$GITHUB_PATH"'];

export const DEFAULT_MIRROR = '17 3 * * *';
export const DEFAULT_OUTDATED = '23 5 * * 1';
export const DEFAULT_REFRESH = '41 4 * * 1';
