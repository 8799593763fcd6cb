// What a token must be allowed at registries that are known, in their own words. Rule: for hints alone; the registry decides.

/** The right that reading or writing takes, as it is called where tokens are made; undefined for a registry that is not known. */
export function rightOf(registry: string, push: boolean, challenge = ''): string | undefined {
  const known = RIGHTS.find(({ host }) => host.test(registry)) ?? (GITEA.test(challenge) ? GITEA_RIGHTS : undefined);
  return push ? known?.push : known?.pull;
}

/** The same behind a hint: `; a token needs <right>`, or nothing. */
export function rightToText(registry: string, push: boolean, challenge?: string): string {
  const right = rightOf(registry, push, challenge);
  return right === undefined ? '' : `; a token needs ${right}`;
}

interface Rights {
  readonly pull: string;
  readonly push: string;
}

/** Gitea and Forgejo answer from /v2/token, whatever their host is called. */
const GITEA = /realm="[^"]*\/v2\/token"/;
const GITEA_RIGHTS: Rights = { pull: 'the right package: read (read:package)', push: 'the right package: read and write (write:package)' };

const RIGHTS: readonly (Rights & { readonly host: RegExp })[] = [
  { host: /^ghcr\.io$/, pull: 'the scope read:packages', push: 'the scope write:packages' },
  { host: /^docker\.io$/, pull: 'the permission Read-only', push: 'the permission Read & Write' },
  { host: /^quay\.io$/, pull: 'the permission Read on this repository', push: 'the permission Write on this repository' },
  { host: /^registry\.gitlab\.com$/, pull: 'the scope read_registry', push: 'the scope write_registry' },
];
