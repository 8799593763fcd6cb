// Where a branch's images go: beside the product's own namespace. Rule: the main branch alone writes into it; a name that nothing is left of is refused.
import { ToolError } from './error.ts';
import type { ImageHome } from './image.ts';

/** What is wrong with a pattern such as `{namespace}0{branch}`, or undefined. */
export function namespaceProblem(pattern: string): string | undefined {
  const unknown = [...pattern.matchAll(/\{([^{}]*)\}/g)]
    .map(([place]) => place)
    .find((place) => place !== '{namespace}' && place !== '{branch}');
  if (unknown !== undefined) return `${unknown} is not known; there are {namespace} {branch}`;
  return cleanName(fill(pattern, 'acme', 'feat')) === fill(pattern, 'acme', 'feat')
    ? undefined
    : `${JSON.stringify(pattern)} makes no name that a registry takes`;
}

/** The home of a branch's images: `feat/add-login` and registry.example/acme give registry.example/acme0feat. Throws E_CONFIG, and E_USAGE for such a branch. */
export function branchHome(home: ImageHome, pattern: string, branch: string): ImageHome {
  const segments = home.path.split('/');
  const namespace = segments.pop() ?? '';
  if (namespace === '') {
    throw new ToolError('E_CONFIG', `${home.registry} has no namespace that a branch’s images could go beside`, {
      hint: 'Write images.registry with one, such as registry.example/acme.',
    });
  }
  const name = cleanName(branch.split('/')[0] ?? '');
  if (name === '') {
    throw new ToolError('E_USAGE', `the branch ${JSON.stringify(branch)} has no name that a registry takes`, {
      hint: 'Begin it with letters or digits.',
    });
  }
  return { ...home, path: [...segments, cleanName(fill(pattern, namespace, name))].join('/') };
}

/** True for a path that `branchHome` gives to some branch of this home. */
export function isBranchPath({ path: home }: ImageHome, pattern: string, path: string): boolean {
  const segments = home.split('/');
  const namespace = segments.pop() ?? '';
  if (namespace === '') return false;
  const parts = pattern.replaceAll('{namespace}', () => namespace).split('{branch}');
  const expression = [...segments.map((segment) => `${segment}/`), parts.join('\0')].join('').replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`^${expression.replaceAll('\0', '[a-z0-9]+(?:[._-]+[a-z0-9]+)*')}$`).test(path);
}

function fill(pattern: string, namespace: string, branch: string): string {
  return pattern.replaceAll('{namespace}', () => namespace).replaceAll('{branch}', () => branch);
}

/** Lower case, and between letters and digits only what a repository may hold (distribution/reference). */
function cleanName(text: string): string {
  const separated = text.toLowerCase().replace(/[^a-z0-9]+/g, (run) => (/^(?:[._]|__|-+)$/.test(run) ? run : '-'));
  return separated
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 100)
    .replace(/[^a-z0-9]+$/, '');
}
