// `env_file` in the text of a compose file. Rule: only the paths change; nothing else of the text is understood or touched.

const KEY = /^([ \t]*(?:- )?)(["']?)env_file\2[ \t]*:(.*)$/;
const INLINE = /(["']?)env_file\1[ \t]*:[ \t]*(?:\[[^\]]*\]|[^,}\]\n]+)/g;

/**
 * The text with each `env_file` of `places` (path relative to the project → another path) read from there. Paths that are written with
 * variables stay as they are.
 */
export function redirectEnvFiles(text: string, places: ReadonlyMap<string, string>): string {
  let block: number | undefined; // the indentation of the key whose lines these are
  return text
    .split('\n')
    .map((line) => {
      const [, indent, , rest = ''] = KEY.exec(line) ?? [];
      if (indent !== undefined) {
        block = rest.trim() === '' || rest.trim().startsWith('#') || isOpen(rest) ? indent.length : undefined;
        return redirect(line, places);
      }
      if (block !== undefined && isInside(line, block)) return redirect(line, places);
      block = undefined;
      return line.replace(INLINE, (found) => redirect(found, places));
    })
    .join('\n');
}

/** A list in brackets that goes on in the next line. */
function isOpen(rest: string): boolean {
  return rest.includes('[') && !rest.includes(']');
}

/** Blank lines, comments, deeper lines, and items of a list at the key's own indentation. */
function isInside(line: string, block: number): boolean {
  const indent = line.search(/\S/);
  return indent < 0 || line[indent] === '#' || indent > block || (indent === block && /^[ \t]*(?:-[ \t]|\])/.test(line));
}

function redirect(text: string, places: ReadonlyMap<string, string>): string {
  return [...places].reduce((so, [path, place]) => {
    const name = path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const scalar = new RegExp(`(^|[\\s:,[{-])(?:"(?:\\./)?${name}"|'(?:\\./)?${name}'|(?:\\./)?${name})(?=$|[\\s,\\]}])`, 'g');
    return so.replace(scalar, (_, before: string) => `${before}${JSON.stringify(place.replaceAll('$', '$$$$'))}`);
  }, text);
}
