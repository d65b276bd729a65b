/**
 * Everything that makes up what is on screen, as one URL: a link sent to a colleague shows the same thing, and the
 * back button undoes a step. Defaults are left out, so that a fresh page has a clean address.
 */
import { MAX_COLUMNS, parseWidths, widthText, type Columns } from "./columns";
import { DEFAULT_RANGE, isBound, isLive, type Range } from "./time";

export interface View extends Asked, Columns {
  /** The id or the text of the one template whose records are shown; empty for all. */
  template: string;
  order: "desc" | "asc";
  /** The field by whose values the counts over time are; empty for severity. */
  by: string;
  record: string | null;
  tail: boolean;
}

export function parseView(search: string): View {
  const params = new URLSearchParams(search);
  const range = parseRange(params);
  const named = params.getAll("col").filter((name) => name !== "");
  const columns = [...new Set(named)].slice(0, MAX_COLUMNS);
  return {
    q: params.get("q") ?? "",
    ...range,
    template: params.get("template") ?? "",
    order: params.get("order") === "asc" ? "asc" : "desc",
    by: params.get("by") ?? "",
    columns,
    widths: parseWidths(params.getAll("width"), columns),
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
  if (view.template) params.set("template", view.template);
  if (view.order !== "desc") params.set("order", view.order);
  if (view.by) params.set("by", view.by);
  for (const column of view.columns) params.append("col", column);
  for (const [name, px] of Object.entries(view.widths)) params.append("width", widthText(name, px));
  if (view.record) params.set("record", view.record);
  if (!view.tail) params.set("tail", "0");
  return searchText(params);
}

/** The list of logs that match, over this time. */
export function logsAddress({ template = "", record = null, ...asked }: Asked & Partial<Pick<View, "template" | "record">>): string {
  return `/logs${formatView({ ...parseView(""), ...asked, template, record })}`;
}

/** The tail runs only where new records belong at the top of what is shown; it knows no templates. */
export function tailWanted(view: View): boolean {
  return view.tail && view.template === "" && view.order === "desc" && isLive(view);
}

/** The change that a step back should undo; everything else replaces the address in place. */
export function isStep(before: View, after: View): boolean {
  const key = (view: View) => [view.q, view.from, view.to, view.template, view.order].join("\0");
  return key(before) !== key(after) || (before.record === null) !== (after.record === null);
}

/** The views of what was sent, with the key that leads to each. */
export const VIEWS = { "/": "1", "/logs": "2", "/patterns": "6", "/traces": "3", "/services": "4", "/sources": "5", "/sql": "7" } as const;
export type Path = keyof typeof VIEWS;
export const PATHS = Object.keys(VIEWS) as Path[];

export function pathByKey(key: string): Path | undefined {
  return PATHS.find((path) => VIEWS[path] === key);
}

/** Those whose search selects records of logs, so that it can be taken from one to the other. */
const OF_LOGS: readonly string[] = ["/logs", "/patterns"] satisfies Path[];
/** A page that none of the keys leads to. */
const FROM_LOGS: readonly string[] = [...OF_LOGS, "/compare"];

/** A view with the range that is on screen, and the search where it means the same. */
export function viewAddress(path: Path): string {
  const params = new URLSearchParams(window.location.search);
  const q = OF_LOGS.includes(path) && FROM_LOGS.includes(window.location.pathname) ? (params.get("q") ?? "") : "";
  const search = searchText(askedParams({ q, ...parseRange(params) }));
  // What `/` with something behind it meant before there was an overview is kept for old links.
  return path === "/" && search !== "" ? `/overview${search}` : path + search;
}
