/**
 * Everything that makes up what is on screen, as one URL: a link sent to a colleague shows the same thing, and the
 * back button undoes a step. Defaults are left out, so that a fresh page has a clean address.
 */
import { DEFAULT_RANGE, isBound, isLive, type Range } from "./time";

export interface View {
  q: string;
  from: string;
  to: string;
  order: "desc" | "asc";
  columns: string[];
  record: string | null;
  tail: boolean;
}

export const MAX_COLUMNS = 12;

export function parseView(search: string): View {
  const params = new URLSearchParams(search);
  const range = parseRange(params);
  const columns = params.getAll("col").filter((name) => name !== "");
  return {
    q: params.get("q") ?? "",
    ...range,
    order: params.get("order") === "asc" ? "asc" : "desc",
    columns: [...new Set(columns)].slice(0, MAX_COLUMNS),
    record: params.get("record") || null,
    tail: params.get("tail") !== "0",
  };
}

function parseRange(params: URLSearchParams): Range {
  const from = params.get("from") ?? DEFAULT_RANGE.from;
  const to = params.get("to") ?? DEFAULT_RANGE.to;
  return isBound(from) && isBound(to) ? { from, to } : DEFAULT_RANGE;
}

export function formatView(view: View): string {
  const params = new URLSearchParams();
  if (view.q) params.set("q", view.q);
  if (view.from !== DEFAULT_RANGE.from) params.set("from", view.from);
  if (view.to !== DEFAULT_RANGE.to) params.set("to", view.to);
  if (view.order !== "desc") params.set("order", view.order);
  for (const column of view.columns) params.append("col", column);
  if (view.record) params.set("record", view.record);
  if (!view.tail) params.set("tail", "0");
  const text = params.toString();
  return text ? `?${text}` : "";
}

/** The tail runs only where new records belong at the top of what is shown. */
export function tailWanted(view: View): boolean {
  return view.tail && view.order === "desc" && isLive(view);
}

/** The change that a step back should undo; everything else replaces the address in place. */
export function isStep(before: View, after: View): boolean {
  const key = (view: View) => [view.q, view.from, view.to, view.order].join("\0");
  return key(before) !== key(after) || (before.record === null) !== (after.record === null);
}
