/** What of an answer can be drawn: a number over time, or a number for each of a few names. Nothing here draws. */
import type { Json, SqlAnswer } from "../api/types";
import { plainText } from "./format";
import { absoluteNs } from "./time";

export interface Point {
  ns: bigint;
  value: number;
}

export type Chart =
  | { kind: "line"; points: Point[]; most: number; least: number }
  | { kind: "bars"; bars: { name: string; value: number }[]; more: number; most: number };

const BARS = 20;
const NUMBERS = ["integer", "double"];

/** Null where there is no one number for a time or a name. */
export function chartOf({ columns, rows }: Pick<SqlAnswer, "columns" | "rows">): Chart | null {
  const find = (types: string[]) => columns.findIndex(({ type }) => types.includes(type));
  const number = find(NUMBERS);
  if (number < 0 || rows.length < 2) return null;
  const time = find(["timestamp"]);
  if (time >= 0) return lineOf(rows, time, number);
  const name = find(["string", "boolean"]);
  return name < 0 ? null : barsOf(rows, name, number);
}

/** Null where two rows have one time: which of them the line goes through cannot be told. */
function lineOf(rows: SqlAnswer["rows"], time: number, number: number): Chart | null {
  const points = rows.flatMap((row) => {
    const [ns, value] = [absoluteNs(String(row[time])), numberOf(row[number])];
    return ns === null || value === null ? [] : [{ ns, value }];
  }).sort((a, b) => (a.ns < b.ns ? -1 : Number(a.ns > b.ns)));
  if (points.length < 2 || points.some(({ ns }, i) => i > 0 && ns === points[i - 1]?.ns)) return null;
  const [least, most] = points.reduce(([low, high], { value }) => [Math.min(low, value), Math.max(high, value)], [0, 0]);
  return { kind: "line", points, least, most };
}

/** Null where there is one below nothing, or one name twice. */
function barsOf(rows: SqlAnswer["rows"], name: number, number: number): Chart | null {
  const bars = rows.flatMap((row) => {
    const value = numberOf(row[number]);
    return value === null ? [] : [{ name: plainText(row[name] ?? null), value }];
  });
  if (bars.some(({ value }) => value < 0) || new Set(bars.map((bar) => bar.name)).size < bars.length) return null;
  bars.sort((a, b) => b.value - a.value);
  const most = bars[0]?.value ?? 0;
  return most > 0 ? { kind: "bars", bars: bars.slice(0, BARS), more: Math.max(0, bars.length - BARS), most } : null;
}

function numberOf(value: Json | undefined): number | null {
  const number = typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : null;
}

/** The line as a path in a box of this size. */
export function linePath({ points, least, most }: Extract<Chart, { kind: "line" }>, width: number, height: number): string {
  const [first, last] = [points[0]?.ns ?? 0n, points.at(-1)?.ns ?? 0n];
  const x = (ns: bigint) => (Number(ns - first) / Math.max(1, Number(last - first))) * width;
  const y = (value: number) => (most === least ? height : height - ((value - least) / (most - least)) * height);
  return points.map(({ ns, value }, i) => `${i === 0 ? "M" : "L"}${x(ns).toFixed(1)} ${y(value).toFixed(1)}`).join("");
}
