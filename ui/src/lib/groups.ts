/** What the bars of counts over time are made of: severities, or the values of a field. */
import { SEVERITIES, type HistogramAnswer } from "../api/types";
import { canFilter, clauseFor } from "./query";

/** Groups that are told apart: as many as there are colours for. */
export const MOST_GROUPS = 7;
/** The field that counts are by as long as nothing else is asked. */
export const USUAL = "severity";

/** One part of every bar. */
export interface Part {
  key: string;
  /** Of its colour: `fill-` and `bg-` with this behind it. */
  colour: string;
  /** Not there for a value, which is told as it is. */
  kind: "severity" | "value" | "other" | "missing";
  value: string;
  count: number;
  /** Of each bucket. */
  counts: number[];
}

/** From the bottom of a bar to its top. */
export function partsOf(answer: HistogramAnswer): Part[] {
  const { by, buckets } = answer;
  if (!by) {
    return SEVERITIES.map((severity) => {
      const counts = buckets.map((bucket) => bucket.severity[severity] ?? 0);
      return { key: severity, colour: severity, kind: "severity", value: severity, count: sum(counts), counts };
    });
  }
  const groups = by.groups.map((group, place): Part => ({ key: `v${group.value}`, colour: `group-${place % MOST_GROUPS}`, kind: "value", ...group }));
  const rest = (["other", "missing"] as const).map((kind): Part => ({ key: kind, colour: `group-${kind}`, kind, value: "", ...by[kind] }));
  return [...groups, ...rest].filter((part) => part.count > 0);
}

const sum = (counts: number[]) => counts.reduce((all, count) => all + count, 0);

/** What selects the records of a part; `null` if nothing does. */
export function clauseOf(field: string, part: Part): string | null {
  if (part.kind === "missing") return clauseFor(field, null);
  return part.kind === "value" && canFilter(part.value) ? clauseFor(field, part.value) : null;
}
