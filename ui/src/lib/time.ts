/**
 * Times as the URL and the API write them. A bound stays as it was given (`-15m`, an RFC 3339 text), and the server
 * resolves it: the clock of the browser may be wrong, and two clocks in one answer are worse than one.
 */

export interface Range {
  from: string;
  to: string;
}

export const DEFAULT_RANGE: Range = { from: "-15m", to: "now" };

export const QUICK_RANGES: readonly string[] = ["-5m", "-15m", "-1h", "-4h", "-12h", "-1d", "-3d", "-7d", "-30d"];

const UNIT_NS: { [unit: string]: bigint } = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
};

const RELATIVE = /^-(\d{1,9})(ns|us|ms|s|m|h|d|w)$/;
const RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?$/;

export function isLive(range: Range): boolean {
  return range.to === "now" && RELATIVE.test(range.from);
}

export function isBound(text: string): boolean {
  return text === "now" || RELATIVE.test(text) || absoluteNs(text) !== null;
}

/** Nanoseconds of an absolute bound; without an offset the text is local time, as a person types it. */
export function absoluteNs(text: string): bigint | null {
  if (/^\d{1,19}$/.test(text)) return epochNs(text);
  const match = RFC3339.exec(text.trim());
  if (!match) return null;
  const [, date, time, fraction = "", zone = ""] = match;
  const millis = Date.parse(`${date}T${time}${(time ?? "").length === 5 ? ":00" : ""}${zone.toUpperCase()}`);
  return Number.isNaN(millis) ? null : BigInt(millis) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** Seconds, milliseconds or nanoseconds since the epoch, told apart by size as the server does. */
function epochNs(digits: string): bigint {
  const value = BigInt(digits);
  if (digits.length <= 11) return value * UNIT_NS.s!;
  return digits.length <= 14 ? value * UNIT_NS.ms! : value;
}

export function durationNs(text: string): bigint | null {
  const match = RELATIVE.exec(text);
  return match ? BigInt(match[1]!) * UNIT_NS[match[2]!]! : null;
}

/** RFC 3339 in UTC, with as many digits as the value needs. */
export function toRfc3339(ns: bigint): string {
  const millis = floorDiv(ns, 1_000_000n);
  const rest = ns - floorDiv(ns, 1_000_000_000n) * 1_000_000_000n;
  const base = new Date(Number(millis)).toISOString().slice(0, 19);
  const fraction = rest.toString().padStart(9, "0").replace(/0+$/, "");
  return `${base}${fraction ? `.${fraction}` : ""}Z`;
}

function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

export function absoluteRange(fromNs: bigint, toNs: bigint): Range {
  return { from: toRfc3339(fromNs), to: toRfc3339(toNs > fromNs ? toNs : fromNs + 1_000_000n) };
}

/** Twice as wide: a live range stays live, a fixed one keeps its centre but does not reach into the future. */
export function zoomOut(shown: Range, fromNs: bigint, toNs: bigint, nowNs: bigint): Range {
  if (isLive(shown)) return { from: shown.from.replace(/\d+/, (count) => String(Number(count) * 2)), to: "now" };
  const half = (toNs - fromNs) / 2n;
  const end = toNs + half > nowNs && toNs <= nowNs ? nowNs : toNs + half;
  return absoluteRange(fromNs - half, end);
}

/** Half a width older (-1) or newer (1). */
export function shift(fromNs: bigint, toNs: bigint, direction: -1 | 1): Range {
  const step = ((toNs - fromNs) / 2n) * BigInt(direction);
  return absoluteRange(fromNs + step, toNs + step);
}

/** The window for "jump to the nearest data": a newest record stands near its end, an oldest near its start. */
export function around(ns: bigint, widthNs: bigint, end: "newest" | "oldest"): Range {
  const small = widthNs / 10n;
  return end === "newest" ? absoluteRange(ns - widthNs + small, ns + small) : absoluteRange(ns - small, ns + widthNs - small);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function asDate(ns: bigint): Date {
  return new Date(Number(floorDiv(ns, 1_000_000n)));
}

function two(value: number): string {
  return value.toString().padStart(2, "0");
}

export function clock(ns: bigint, millis = true): string {
  const date = asDate(ns);
  const base = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return millis ? `${base}.${date.getMilliseconds().toString().padStart(3, "0")}` : base;
}

/** Day and month; the year only where it is not this one. Every row of a list has one, and `toLocaleDateString` makes a formatter each time. */
export function day(ns: bigint): string {
  const date = asDate(ns);
  const year = date.getFullYear();
  const monthDay = `${MONTHS[date.getMonth()]} ${date.getDate()}`;
  return year === new Date().getFullYear() ? monthDay : `${monthDay}, ${year}`;
}

export function localStamp(ns: bigint): string {
  const date = asDate(ns);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ns)}`;
}

/** What a text field for an absolute bound shows: local time without an offset. */
export function localInput(ns: bigint): string {
  return localStamp(ns).replace(/\.\d+$/, "");
}

const STEPS_S = [1n, 5n, 10n, 15n, 30n, 60n, 120n, 300n, 600n, 900n, 1800n, 3600n, 7200n, 10800n, 21600n, 43200n, 86400n];

/** The smallest round step between axis labels that is at least `least`. */
export function tickStep(least: bigint): bigint {
  for (const step of STEPS_S) if (step * UNIT_NS.s! >= least) return step * UNIT_NS.s!;
  return (least / UNIT_NS.d! + 1n) * UNIT_NS.d!;
}

/** Axis labels: seconds only where buckets are that small, the day only where the range spans days. */
export function axisLabel(ns: bigint, bucketNs: bigint, rangeNs: bigint): string {
  const date = asDate(ns);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (rangeNs > 3n * UNIT_NS.d!) return bucketNs >= UNIT_NS.d! ? day(ns) : `${day(ns)} ${minutes}`;
  return bucketNs < UNIT_NS.m! ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

/** A width in words: `15 min`, `2 h`. */
export function widthText(ns: bigint): string {
  const units: [string, bigint][] = [["d", UNIT_NS.d!], ["h", UNIT_NS.h!], ["min", UNIT_NS.m!], ["s", UNIT_NS.s!], ["ms", UNIT_NS.ms!]];
  for (const [name, size] of units) {
    if (ns >= size) {
      const value = Number((ns * 10n) / size) / 10;
      return `${value} ${name}`;
    }
  }
  return `${ns} ns`;
}
