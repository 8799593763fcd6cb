// Rows of words under each other. Rule: the last column is as long as it likes.

/** The rows as lines, each column as wide as its widest word. */
export function columnsToText(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, word] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, word.length);
  const line = (row: readonly string[]): string => row.map((word, index) => word.padEnd(widths[index] ?? 0)).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
