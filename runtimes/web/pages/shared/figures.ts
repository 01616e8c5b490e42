/** How the pages spell figures, as the project's reports do: fitting units and three digits. */

export const UNKNOWN = "–";
const SPACE = "\u00a0";
type Unit = readonly [scale: number, name: string];
const BINARY: readonly Unit[] = [
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
];
const DECIMAL: readonly Unit[] = [
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];
// In minutes only where seconds would need four digits.
const LEAST_MINUTES_MS = 600_000;

/** Spells milliseconds: `204 µs`, `41.3 ms`, `1.02 s`, `60.2 s`, `12.0 min`. */
export function duration(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  const [scale, unit]: Unit =
    ms >= LEAST_MINUTES_MS * 0.9995
      ? [60_000, "min"]
      : ms >= 999.5
        ? [1000, "s"]
        : ms >= 0.9995
          ? [1, "ms"]
          : [1e-3, "µs"];
  return `${digits(ms / scale)}${SPACE}${unit}`;
}

/** Spells an amount of memory in bytes with binary prefixes: `412 MiB`. */
export function memory(bytes: number | null): string {
  return amount(bytes, BINARY);
}

/** Spells a file's size in bytes with decimal prefixes, as file managers do: `204 MB`. */
export function fileSize(bytes: number | null): string {
  return amount(bytes, DECIMAL);
}

/** Spells a number with three digits, and with all of them where it has more before the point. */
export function digits(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const rounded = Number(value.toPrecision(3));
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded)) + 1e-9));
  const [whole = "", fraction] = value.toFixed(Math.min(places, 6)).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** Spells how many there are of something: `1 round`, `3 rounds`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number}${SPACE}${number === 1 ? noun : plural}`;
}

function amount(bytes: number | null, units: readonly Unit[]): string {
  if (bytes === null) return UNKNOWN;
  const [scale, name] = units.find(([size]) => bytes >= size * 0.9995) ?? [1, "B"];
  return `${digits(bytes / scale)}${SPACE}${name}`;
}
