/** Where a trace lies among the others: its time across, its duration up, which is logarithmic. */
import type { Found, Sums } from "./search";

export interface Mark {
  id: string;
  found: Found;
  timeNs: bigint;
  /** Nanoseconds. */
  duration: number;
  isError: boolean;
}

/** The traces that have an end, oldest first: that is how the arrow keys go through them. */
export function marksOf(traces: readonly Found[], sums: ReadonlyMap<string, Sums>): Mark[] {
  return traces
    .filter(({ span }) => span.duration_ms !== null)
    .map((found) => ({
      id: found.id, found, timeNs: BigInt(found.span.time_ns), duration: (found.span.duration_ms ?? 0) * 1e6,
      isError: found.span.status_code === "error" || (sums.get(found.id)?.errors ?? 0) > 0,
    }))
    .sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0));
}

export interface Scale {
  /** Powers of ten of nanoseconds at the bottom and at the top. */
  low: number;
  high: number;
}

/** Whole decades around all durations; where all are alike, the decade in which they are. */
export function decades(marks: readonly Mark[]): Scale {
  const some = marks.map(({ duration }) => duration).filter((duration) => duration > 0);
  const least = some.reduce((low, one) => Math.min(low, one), some[0] ?? 1e6);
  const most = some.reduce((high, one) => Math.max(high, one), some[0] ?? 1e6);
  const low = Math.floor(Math.log10(least));
  return { low, high: Math.max(low + 1, Math.ceil(Math.log10(most))) };
}

/** Share of the height, from below; what took no time lies on the ground. */
export function heightOf(duration: number, { low, high }: Scale): number {
  return duration > 0 ? Math.min(1, Math.max(0, (Math.log10(duration) - low) / (high - low))) : 0;
}

/** The other way round: nanoseconds at a share of the height. */
export function durationAt(share: number, { low, high }: Scale): number {
  return 10 ** (low + Math.min(1, Math.max(0, share)) * (high - low));
}

/** As it is written in an address and the form: whole, and not rounded to the side where marks in the box would be lost. */
export function boundText(ns: number, side: "least" | "most"): string {
  const round = side === "least" ? Math.floor : Math.ceil;
  const [size, unit] = ns < 1e4 ? [1, "ns"] : ns < 1e7 ? [1e3, "us"] : ns < 1e10 ? [1e6, "ms"] : [1e9, "s"];
  return `${round(ns / size)}${unit}`;
}

/** The nearest within `reach` pixels. */
export function nearest(places: readonly { x: number; y: number }[], x: number, y: number, reach: number): number | null {
  let [best, distance] = [null as number | null, reach * reach];
  places.forEach((place, index) => {
    const away = (place.x - x) ** 2 + (place.y - y) ** 2;
    if (away <= distance) [best, distance] = [index, away];
  });
  return best;
}
