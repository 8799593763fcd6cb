// Durations and sizes as people write and read them. Rule: inside everything is seconds and bytes.

/** `90s`, `5m`, `2h`, `365d`, `8w`, `10y`; a bare whole number is seconds. */
export const DURATION_PATTERN = /^\d{1,9}(?:s|m|h|d|w|y)$/;

/** `512MiB`, `2GiB`, `1.5GB`; a bare whole number is bytes. */
export const SIZE_PATTERN = /^\d{1,9}(?:\.\d{1,3})? ?(?:B|[kK]B|[KMGT]iB|[MGT]B)$/;

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_536_000 };
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Seconds, or undefined when it is no duration. */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === 'number') return wholeNumber(value);
  return DURATION_PATTERN.test(value) ? amountIn(SECONDS, value) : undefined;
}

/** Bytes, or undefined when it is no size. */
export function parseSize(value: string | number): number | undefined {
  if (typeof value === 'number') return wholeNumber(value);
  return SIZE_PATTERN.test(value) ? amountIn(BYTES, value) : undefined;
}

/** `48.2 MB`: decimal units, as registries and disks are sold. */
export function sizeToText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function wholeNumber(value: number): number | undefined {
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function amountIn(units: Readonly<Record<string, number>>, text: string): number | undefined {
  const [, amount, unit] = /^([\d.]+) ?([A-Za-z]+)$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : units[unit];
  return amount === undefined || factor === undefined ? undefined : wholeNumber(Math.round(Number(amount) * factor));
}
