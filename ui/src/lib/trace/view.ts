/** What of one trace is on screen, as its address says. */
import { searchText } from "../url";
import { BY, type By } from "./operations";
import type { Node } from "./tree";

export const SHOWS = ["waterfall", "flame", "table"] as const;
export type Show = (typeof SHOWS)[number];

export interface TraceView {
  show: Show;
  /** The span whose details are open. */
  span: string | null;
  /** The record of a log whose details are open. */
  record: string | null;
  /** Whether what lies below the first children is folded up, unless turned. */
  folded: boolean;
  /** Spans that are not as `folded` says. */
  turned: readonly string[];
  /** The span whose time fills the width. */
  zoom: string | null;
  logs: boolean;
  path: boolean;
  find: string;
  /** What the table is sorted by, and whether the other way round. */
  by: By;
  byTurned: boolean;
  /** So many spans are asked for. */
  most: number;
}

export const SPANS: readonly number[] = [20_000, 50_000, 1000];
/** An address has to stay short enough to be sent: for further ones the oldest is as before. */
export const MAX_TURNED = 150;

export function parseTrace(search: string): TraceView {
  const params = new URLSearchParams(search);
  const most = Number(params.get("most"));
  return {
    show: SHOWS.find((show) => show === params.get("view")) ?? "waterfall",
    span: params.get("span") || null,
    record: params.get("record") || null,
    folded: params.get("folded") === "1",
    turned: (params.get("turned") ?? "").split(",").filter((id) => /^[0-9a-f]{1,16}$/.test(id)).slice(-MAX_TURNED),
    zoom: params.get("zoom") || null,
    logs: params.get("logs") !== "0",
    path: params.get("path") !== "0",
    find: params.get("find") ?? "",
    by: BY.find((by) => by === params.get("by")) ?? "total",
    byTurned: params.get("turned_by") === "1",
    most: SPANS.includes(most) ? most : SPANS[0]!,
  };
}

export function formatTrace(view: TraceView): string {
  const params = new URLSearchParams();
  if (view.show !== "waterfall") params.set("view", view.show);
  if (view.span) params.set("span", view.span);
  if (view.record) params.set("record", view.record);
  if (view.folded) params.set("folded", "1");
  if (view.turned.length > 0) params.set("turned", view.turned.slice(-MAX_TURNED).join(","));
  if (view.zoom) params.set("zoom", view.zoom);
  if (!view.logs) params.set("logs", "0");
  if (!view.path) params.set("path", "0");
  if (view.find) params.set("find", view.find);
  if (view.by !== "total") params.set("by", view.by);
  if (view.byTurned) params.set("turned_by", "1");
  if (view.most !== SPANS[0]) params.set("most", String(view.most));
  return searchText(params).replaceAll("%2C", ",");
}

/** Whether a span hides what is below it. */
export function isClosed(view: Pick<TraceView, "folded" | "turned">): (node: Node) => boolean {
  const turned = new Set(view.turned);
  return (node) => node.children.length > 0 && (view.folded && node.depth > 0) !== turned.has(node.span.span_id);
}

/** The other way round for one span. */
export function turn(turned: readonly string[], id: string): string[] {
  return turned.includes(id) ? turned.filter((one) => one !== id) : [...turned, id].slice(-MAX_TURNED);
}

export function isTraceStep(before: TraceView, after: TraceView): boolean {
  const open = (view: TraceView) => view.span !== null || view.record !== null;
  return open(before) !== open(after) || before.show !== after.show || before.zoom !== after.zoom || before.most !== after.most;
}

export function traceAddress(id: string, span: string | null = null): string {
  return `/traces/${encodeURIComponent(id)}${searchText(new URLSearchParams(span === null ? [] : [["span", span]]))}`;
}
