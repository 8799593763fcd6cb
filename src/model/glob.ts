// Path patterns of slipway.yaml. Rule: three wildcards: `*` and `?` stay within a folder, `**` crosses folders; a pattern that names a folder covers all of it.

/** True when the pattern covers this path; both use forward slashes and start at the same folder. */
export function matchesGlob(pattern: string, path: string): boolean {
  return expressionOf(pattern).test(path);
}

/** The regular expression of a pattern, for paths of a folder's files. */
export function expressionOf(pattern: string): RegExp {
  const plain = pattern.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '');
  const parts = plain.split(/(\*\*\/|\*\*|\*|\?)/);
  return new RegExp(`^${parts.map(partExpression).join('')}(?:/.*)?$`, 'su');
}

function partExpression(part: string): string {
  switch (part) {
    case '**/':
      return '(?:[^/]+/)*';
    case '**':
      return '.*';
    case '*':
      return '[^/]*';
    case '?':
      return '[^/]';
    default:
      return part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  }
}
