/** How the records of a search differ from those before, or from all others: what is on screen, and where it leads. Nothing here draws. */
import type { CompareAnswer, FieldDifference, ValueDifference } from "../api/types";
import { canFilter, clauseFor } from "./query";
import { absoluteRange } from "./time";
import { askedParams, logsAddress, parseRange, searchText, type Asked } from "./url";

export const WITHS = ["before", "rest"] as const;
export type With = (typeof WITHS)[number];

export interface CompareView extends Asked {
  with: With;
  /** The id or the text of the one template whose records are compared; empty for all. */
  template: string;
}

export function parseCompare(search: string): CompareView {
  const params = new URLSearchParams(search);
  const chosen = WITHS.find((one) => one === params.get("with")) ?? "before";
  return { q: params.get("q") ?? "", ...parseRange(params), with: chosen, template: params.get("template") ?? "" };
}

export function formatCompare(view: CompareView): string {
  const params = askedParams(view);
  if (view.template) params.set("template", view.template);
  if (view.with !== "before") params.set("with", view.with);
  return searchText(params);
}

export function compareAddress(view: Asked & Partial<CompareView>): string {
  return `/compare${formatCompare({ ...parseCompare(""), ...view })}`;
}

export function isCompareStep(before: CompareView, after: CompareView): boolean {
  return formatCompare(before) !== formatCompare(after);
}

/** Whether there are any records beside the selected ones. */
export function hasRest({ q, template }: Pick<CompareView, "q" | "template">): boolean {
  return q.trim() !== "" || template !== "";
}

/** What part of all it is, from 0 to 1. */
export function shareOf(count: number, total: number): number {
  return total === 0 ? 0 : Math.min(1, count / total);
}

/** As a percentage that is never rounded to all or nothing. */
export function percent(share: number): string {
  const hundredths = share * 100;
  if (hundredths === 0 || hundredths === 100) return `${hundredths} %`;
  if (hundredths < 0.1) return "< 0.1 %";
  if (hundredths > 99.9) return "> 99.9 %";
  return hundredths < 10 ? `${hundredths.toFixed(1)} %` : `${Math.min(99, Math.round(hundredths))} %`;
}

export type Direction = "more" | "less";

export function directionOf({ count, other }: Pick<ValueDifference, "count" | "other">, answer: Pick<CompareAnswer, "total" | "other_total">): Direction {
  return shareOf(count, answer.total) >= shareOf(other, answer.other_total) ? "more" : "less";
}

/** The clause that selects the records with this value; `null` where none can. */
export function clauseOf({ field }: Pick<FieldDifference, "field">, { value }: Pick<ValueDifference, "value">): string | null {
  return canFilter(value) ? clauseFor(field, value) : null;
}

/** The records on the other side, as far as an address can name them. */
export function otherAddress(view: CompareView, answer: CompareAnswer): string | null {
  if (view.with === "rest") return view.template === "" ? logsAddress({ ...view, q: `not (${view.q})` }) : null;
  return logsAddress({ ...view, ...absoluteRange(BigInt(answer.other_from_ns), BigInt(answer.other_to_ns)) });
}
