/** Looking for traces: what the form asks as a query, and spans that were found as the traces they are of. */
import type { Json, Span } from "../../api/types";
import { clauseFor, joinClauses } from "../query";
import { askedParams, parseRange, searchText, type Asked } from "../url";
import { parseDuration } from "./scale";
import { toRfc3339 } from "../time";

export interface TracesView extends Asked {
  service: string;
  operation: string;
  /** Durations as they were typed. */
  least: string;
  most: string;
  errors: boolean;
  /** Another service that the trace must go through. */
  through: string;
  /** The trace that another is to be compared with. */
  marked: string;
  /** Whether durations are drawn over time; where nobody said so, where there is room. */
  scatter: "" | "0" | "1";
}

const TEXTS = ["service", "operation", "least", "most", "through"] as const;

export function parseTraces(search: string): TracesView {
  const params = new URLSearchParams(search);
  const text = (name: (typeof TEXTS)[number]) => params.get(name) ?? "";
  const [marked, scatter] = [params.get("marked") ?? "", params.get("scatter")];
  return {
    q: params.get("q") ?? "", ...parseRange(params), service: text("service"), operation: text("operation"), least: text("least"), most: text("most"),
    errors: params.get("errors") === "1", through: text("through"),
    marked: /^[0-9a-f]{1,32}$/.test(marked) ? marked : "", scatter: scatter === "0" || scatter === "1" ? scatter : "",
  };
}

export function formatTraces(view: TracesView): string {
  const params = askedParams(view);
  for (const name of TEXTS) if (view[name]) params.set(name, view[name]);
  if (view.errors) params.set("errors", "1");
  if (view.marked) params.set("marked", view.marked);
  if (view.scatter) params.set("scatter", view.scatter);
  return searchText(params);
}

/** Of that, what decides which traces are found. */
export function searchOf(view: TracesView): string {
  return formatTraces({ ...view, marked: "", scatter: "" });
}

export function tracesAddress(view: Partial<TracesView>): string {
  return `/traces${formatTraces({ ...parseTraces(""), ...view })}`;
}

/** Nobody asked for a part of a trace, so each is shown by the span it began with. */
export function byRoots(view: TracesView): boolean {
  return !(view.q || view.service || view.operation || view.errors);
}

/** The spans that are to be found. */
export function spanQuery(view: TracesView): string {
  const parts = [view.q && joinable(view.q)];
  if (view.service) parts.push(clauseFor("service.name", view.service));
  if (view.operation) parts.push(clauseFor("span.name", view.operation));
  const [least, most] = [parseDuration(view.least), parseDuration(view.most)];
  if (least !== null) parts.push(`span.duration_ns>=${least}`);
  if (most !== null) parts.push(`span.duration_ns<=${most}`);
  if (view.errors) parts.push("span.status.code:error");
  if (byRoots(view)) parts.push("not span.parent_id:*");
  return joinClauses(parts);
}

/** What somebody typed stays one part, also where it has an `or`. */
function joinable(q: string): string {
  return /\bor\b|\|\|/i.test(q) ? `(${q})` : q;
}

export interface Found {
  id: string;
  /** The one it is shown by: the one without a parent, else the first. */
  span: Span;
  matched: number;
}

/** Traces in the order of their newest match: pages that come later add to the end, and to what is there. */
export function byTrace(spans: readonly Span[]): Found[] {
  const found = new Map<string, Found>();
  for (const span of spans) {
    const known = found.get(span.trace_id);
    if (!known) found.set(span.trace_id, { id: span.trace_id, span, matched: 1 });
    else found.set(span.trace_id, { ...known, span: better(known.span, span), matched: known.matched + 1 });
  }
  return [...found.values()];
}

function better(a: Span, b: Span): Span {
  if ((a.parent_span_id === null) !== (b.parent_span_id === null)) return a.parent_span_id === null ? a : b;
  return BigInt(b.time_ns) < BigInt(a.time_ns) ? b : a;
}

export interface Sums {
  spans: number;
  errors: number;
  services: number;
  through: number;
}

const AROUND_NS = 3_600_000_000_000n;

/** Sums of whole traces, of which the search found parts: their spans within an hour of these. */
export function sumsSql(found: readonly Found[], through: string): string {
  const times = found.map(({ span }) => BigInt(span.time_ns));
  const [first, last] = times.reduce(([low, high], time) => [time < low ? time : low, time > high ? time : high], [times[0] ?? 0n, times[0] ?? 0n]);
  const ids = found.map(({ id }) => text(id)).join(", ");
  return `select trace_id, count(*) as spans, count(*) filter (where status_code = 'error') as errors, `
    + `count(distinct "service.name") as services, count(*) filter (where "service.name" = ${text(through)}) as through from spans `
    + `where time >= timestamp ${text(toRfc3339(first - AROUND_NS))} and time < timestamp ${text(toRfc3339(last + AROUND_NS))} `
    + `and trace_id in (${ids}) group by trace_id`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

export function readSums(rows: readonly Json[][]): Map<string, Sums> {
  return new Map(rows.map(([id, spans, errors, services, through]) =>
    [String(id), { spans: Number(spans), errors: Number(errors), services: Number(services), through: Number(through) }]));
}
