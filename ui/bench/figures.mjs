/** What is made of the milliseconds: percentiles, the table, and what is beyond its limit. */

/** By nearest rank: the smallest value that at least this share of all does not exceed. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function figuresOf({ name, values, limit, unit = "ms" }) {
  return { name, unit, limit, n: values.length, p50: percentile(values, 0.5), p95: percentile(values, 0.95), max: Math.max(...values) };
}

/** Those whose p95 is beyond their limit; without a limit nothing is. */
export function broken(rows) {
  return rows.filter(({ limit, p95 }) => limit !== undefined && p95 > limit);
}

const number = (value) => (value >= 1000 ? String(Math.round(value)) : value.toFixed(1));

export function table(rows) {
  const heads = ["interaction", "n", "p50", "p95", "max", "limit", ""];
  const cells = rows.map(({ name, unit, n, p50, p95, max, limit }) => [
    name, String(n), number(p50), number(p95), number(max), limit === undefined ? "" : String(limit), limit !== undefined && p95 > limit ? `${unit}  BROKEN` : unit,
  ]);
  const widths = heads.map((head, at) => Math.max(head.length, ...cells.map((row) => row[at].length)));
  const line = (row) => row.map((cell, at) => (at === 0 || at === row.length - 1 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join("  ").trimEnd();
  return [heads, ...cells].map(line).join("\n");
}
