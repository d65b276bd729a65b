/**
 * Everything that makes up what is on screen, as one URL: a link sent to a colleague shows the same thing, and the
 * back button undoes a step. Defaults are left out, so that a fresh page has a clean address.
 */
import { DEFAULT_RANGE, isBound, isLive, type Range } from "./time";

export interface View extends Asked {
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

/** What every page with a time picker and a search has. */
export interface Asked extends Range {
  q: string;
}

export function parseRange(params: URLSearchParams): Range {
  const from = params.get("from") ?? DEFAULT_RANGE.from;
  const to = params.get("to") ?? DEFAULT_RANGE.to;
  return isBound(from) && isBound(to) ? { from, to } : DEFAULT_RANGE;
}

/** The parameters of search and range, as far as they are not the usual ones. */
export function askedParams({ q, from, to }: Asked): URLSearchParams {
  const params = new URLSearchParams();
  if (q) params.set("q", q);
  if (from !== DEFAULT_RANGE.from) params.set("from", from);
  if (to !== DEFAULT_RANGE.to) params.set("to", to);
  return params;
}

/** Behind the path, with its question mark where there is anything to ask. */
export function searchText(params: URLSearchParams): string {
  const text = params.toString();
  return text ? `?${text}` : "";
}

export function formatView(view: View): string {
  const params = askedParams(view);
  if (view.order !== "desc") params.set("order", view.order);
  for (const column of view.columns) params.append("col", column);
  if (view.record) params.set("record", view.record);
  if (!view.tail) params.set("tail", "0");
  return searchText(params);
}

/** The list of logs that match, over this time. */
export function logsAddress(asked: Asked): string {
  return `/logs${searchText(askedParams(asked))}`;
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

/** The views of what was sent. */
export const VIEWS = ["/", "/logs", "/traces", "/services", "/sources"] as const;

/** A view with the range that is on screen. */
export function viewAddress(path: (typeof VIEWS)[number]): string {
  const search = searchText(askedParams({ q: "", ...parseRange(new URLSearchParams(window.location.search)) }));
  // What `/` with something behind it meant before there was an overview is kept for old links.
  return path === "/" && search !== "" ? `/overview${search}` : path + search;
}
