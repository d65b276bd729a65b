/** Durations as people read and write them, and the axis above the bars. */
const UNITS: [string, number][] = [["ns", 1], ["us", 1e3], ["µs", 1e3], ["ms", 1e6], ["s", 1e9], ["m", 6e10], ["min", 6e10], ["h", 3.6e12]];

/** `150ms`, `1.5 s`, `2m`; a number alone is milliseconds. Nanoseconds, or null if it is no duration. */
export function parseDuration(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|min|h)?\s*$/.exec(text);
  if (!match) return null;
  const unit = UNITS.find(([name]) => name === (match[2] ?? "ms"))!;
  const ns = Math.round(Number(match[1]) * unit[1]);
  return Number.isSafeInteger(ns) ? ns : null;
}

/** Nanoseconds in words, with three digits. */
export function nanos(ns: number): string {
  if (ns < 0) return `−${nanos(-ns)}`;
  if (ns === 0) return "0";
  if (ns < 1000) return `${Math.round(ns)} ns`;
  if (ns < 60e9) {
    const [value, unit] = ns < 1e6 ? [ns / 1e3, "µs"] : ns < 1e9 ? [ns / 1e6, "ms"] : [ns / 1e9, "s"];
    return `${value >= 100 ? Math.round(value) : value.toFixed(value >= 10 ? 1 : 2).replace(/\.?0+$/, "")} ${unit}`;
  }
  return ns < 3.6e12 ? `${(ns / 6e10).toFixed(1)} min` : `${(ns / 3.6e12).toFixed(1)} h`;
}

const DECADES = 4;

/** How much of the longest bar: each tenth part takes a quarter away, or one slow trace would make dots of all others. */
export function barShare(length: number, longest: number): number {
  if (!(length > 0) || !(longest > 0)) return 0;
  return Math.max(0.01, 1 + Math.log10(Math.min(length, longest) / longest) / DECADES);
}

/** Round places between `from` and `to`, at most `most` of them, `from` among them. */
export function ticks(from: number, to: number, most: number): number[] {
  const least = (to - from) / Math.max(1, most);
  if (!(least > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= least) ?? least;
  const found: number[] = [];
  for (let at = Math.ceil(from / step) * step; at < to && found.length <= most; at += step) found.push(at);
  return found;
}

/** Where a stretch lies in a window, as shares of it; null if it lies outside. */
export function place(from: number, to: number, window: { from: number; to: number }): { left: number; width: number } | null {
  const size = window.to - window.from;
  if (to < window.from || from > window.to) return null;
  if (size <= 0) return { left: 0, width: 1 };
  const left = Math.max(0, (from - window.from) / size);
  return { left, width: Math.min(1, (to - window.from) / size) - left };
}
