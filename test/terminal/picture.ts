// A screen with its colours as an SVG picture. Rule: nothing but text and colours; the same screen gives the same picture.
interface Look {
  readonly colour: string;
  readonly bold: boolean;
  readonly dim: boolean;
}

const COLOURS: Readonly<Record<number, string>> = {
  30: '#6e7681',
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#76e3ea',
  37: '#c9d1d9',
};
const USUAL: Look = { colour: '#c9d1d9', bold: false, dim: false };
const [WIDTH, HEIGHT, EDGE] = [8.43, 19, 16];

/** The picture; `columns` is the width of the terminal. */
export function svgOf(screen: string, columns: number): string {
  const lines = screen.replace(/\n+$/, '').split('\n');
  const [width, height] = [Math.ceil(columns * WIDTH + 2 * EDGE), lines.length * HEIGHT + 2 * EDGE];
  let look = USUAL;
  const rows = lines.map((line, row) => {
    let spans = '';
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    for (const [, codes, text = ''] of line.matchAll(/(?:\u001b\[([\d;]*)m)|([^\u001b]+)/g)) {
      if (codes !== undefined) look = changed(look, codes);
      else spans += `<tspan${looks(look)}>${escaped(text)}</tspan>`;
    }
    return `<text x="${EDGE}" y="${EDGE + row * HEIGHT + 14}" xml:space="preserve">${spans}</text>\n`;
  });
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">\n`;
  const style = 'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="14"';
  return `${head}<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n<g ${style} fill="${USUAL.colour}">\n${rows.join('')}</g>\n</svg>\n`;
}

/** The text of a picture. */
export function textOf(svg: string): string {
  const rows = [...svg.matchAll(/<text[^>]*>(.*?)<\/text>/g)].map(([, row = '']) => row.replace(/<[^>]+>/g, ''));
  return rows.map((row) => `${row.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').trimEnd()}\n`).join('');
}

function changed(look: Look, codes: string): Look {
  let now = look;
  for (const code of (codes === '' ? '0' : codes).split(';').map(Number)) {
    if (code === 0) now = USUAL;
    else if (code === 1) now = { ...now, bold: true };
    else if (code === 2) now = { ...now, dim: true };
    else if (code === 22) now = { ...now, bold: false, dim: false };
    else if (code === 39) now = { ...now, colour: USUAL.colour };
    else now = { ...now, colour: COLOURS[code] ?? now.colour };
  }
  return now;
}

function looks({ colour, bold, dim }: Look): string {
  return `${colour === USUAL.colour ? '' : ` fill="${colour}"`}${bold ? ' font-weight="bold"' : ''}${dim ? ' opacity="0.6"' : ''}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
