/** The first look: what of it is on screen, where its links lead, and how its little charts are drawn. Nothing here draws. */
import type { Change, ChangeOf, OverviewAnswer, OverviewService } from "../api/types";
import { serviceLogs, serviceTraces, servicesAddress } from "./graph/view";
import { clauseFor } from "./query";
import { DEFAULT_RANGE, absoluteRange, isLive, type Range } from "./time";
import { tracesAddress } from "./trace/search";
import { traceAddress } from "./trace/view";
import { askedParams, logsAddress, parseRange, searchText } from "./url";

export interface OverviewView extends Range {
  /** Whether it is asked again by itself. */
  auto: boolean;
}

export function parseOverview(search: string): OverviewView {
  const params = new URLSearchParams(search);
  return { ...parseRange(params), auto: params.get("auto") !== "0" };
}

export function formatOverview({ auto, ...range }: OverviewView): string {
  const params = askedParams({ q: "", ...range });
  if (!auto) params.set("auto", "0");
  return searchText(params);
}

export function isOverviewStep(before: OverviewView, after: OverviewView): boolean {
  return before.from !== after.from || before.to !== after.to;
}

/** Bare, `/` is the overview; with anything asked it is an old link to the list of logs. */
export function overviewAddress(view: Partial<OverviewView> = {}): string {
  const search = formatOverview({ ...DEFAULT_RANGE, auto: true, ...view });
  return search === "" ? "/" : `/overview${search}`;
}

/** Where an address of before the overview leads now. */
export function movedTo(pathname: string, search: string): string | null {
  return pathname === "/" && search !== "" ? `/logs${search}` : null;
}

const FIRST_MS = 2_000;
const AGAIN_MS = 10_000;

/** Soon as long as there is nothing, else calmly; never so often that watching is the load. Null: not by itself. */
export function againAfter(view: OverviewView, answer: OverviewAnswer | undefined, elapsedMs: number): number | null {
  if (!view.auto || !isLive(view)) return null;
  return Math.max(answer && answer.services.length > 0 ? AGAIN_MS : FIRST_MS, elapsedMs * 20);
}

/** The newer of two answers in the order of the older, what is new last: nothing moves under the pointer. */
export function steady(before: OverviewAnswer, now: OverviewAnswer): OverviewAnswer {
  const keyOf = ({ kind, service }: Change) => `${kind} ${service ?? ""}`;
  return { ...now, services: inOrderOf(before.services, now.services, ({ service }) => service), changes: inOrderOf(before.changes, now.changes, keyOf) };
}

/** What there was before in its order, what is new last. */
export function inOrderOf<T>(before: readonly T[], now: readonly T[], keyOf: (one: T) => string): T[] {
  const places = new Map(before.map((one, at) => [keyOf(one), at]));
  const place = (one: T) => places.get(keyOf(one)) ?? before.length;
  return [...now].sort((a, b) => place(a) - place(b));
}

export interface Bar {
  /** Of the chart's width and height, from 0 to 1, the height from below. */
  x: number;
  width: number;
  height: number;
  /** The part of it that is errors. */
  errors: number;
}

/** A bar that is not empty can be seen, and so can errors in it. */
const LEAST = 0.06;

export function bars(counts: readonly number[], errors: readonly number[]): Bar[] {
  const most = Math.max(1, ...counts);
  const seen = (part: number) => (part > 0 ? Math.max(LEAST, part / most) : 0);
  return counts.flatMap((count, at) => {
    const height = seen(count);
    return count > 0 ? [{ x: at / counts.length, width: 1 / counts.length, height, errors: Math.min(height, seen(errors[at] ?? 0)) }] : [];
  });
}

export function ratio(errors: number, of: number): number {
  return of === 0 ? 0 : errors / of;
}

const KINDS: readonly string[] = ["errors", "latency", "silent", "new", "pattern", "volume"] satisfies Change["kind"][];

/** Those that this console has words for: a newer server may know of others. */
export function known(changes: readonly Change[]): Change[] {
  return changes.filter(({ kind }) => KINDS.includes(kind));
}

export type Mood = "bad" | "warn" | "note";

export function mood(change: Change): Mood {
  if (change.kind === "errors") return "bad";
  if (change.kind === "pattern") return change.count.errors > 0 ? "bad" : "note";
  if (change.kind === "silent") return "warn";
  return change.kind === "latency" && change.now_ms > change.before_ms ? "warn" : "note";
}

export type Target = "logs" | "traces" | "map";

export interface Way {
  target: Target;
  to: string;
}

const FAILED = "(severity:error or severity:fatal)";

export function serviceErrors(service: string, range: Range): string {
  return logsAddress({ q: `${clauseFor("service.name", service)} and ${FAILED}`, ...range });
}

/** What shows the change best comes first. */
export function waysOf(change: Change, range: Range, answer: Pick<OverviewAnswer, "from_ns" | "to_ns" | "compared">): Way[] {
  const { service } = change;
  if (service === null) return [{ target: "logs", to: logsAddress({ q: "", ...before(change, answer) }) }];
  const logs = (to: string): Way => ({ target: "logs", to });
  const map: Way = { target: "map", to: mapOf(service, range) };
  switch (change.kind) {
    case "errors": {
      const failed = logs(serviceErrors(service, range));
      return change.counted === "records" ? [failed, map] : [failed, { target: "traces", to: tracesAddress({ service, errors: true, ...range }) }, map];
    }
    case "latency": {
      const least = change.now_ms > change.before_ms ? `${Math.ceil(change.before_ms)}ms` : "";
      return [{ target: "traces", to: tracesAddress({ service, least, ...range }) }, logs(serviceLogs(service, range)), map];
    }
    case "silent": return [logs(serviceLogs(service, before(change, answer))), map];
    case "new": return [logs(serviceLogs(service, range)), map];
    case "pattern": return [logs(logsAddress({ q: "", ...range, template: change.id ?? change.template })), map];
    case "volume": return [logs(serviceLogs(service, range)), map];
  }
}

export function waysOfService({ service }: Pick<OverviewService, "service">, range: Range): Way[] {
  return [
    { target: "logs", to: serviceLogs(service, range) }, { target: "traces", to: serviceTraces(service, range) }, { target: "map", to: mapOf(service, range) },
  ];
}

function mapOf(service: string, { from, to }: Range): string {
  return servicesAddress({ from, to, show: "map", service });
}

/** The time until it fell silent: of what there was, the last. */
function before(change: ChangeOf<"silent"> | Change, answer: Pick<OverviewAnswer, "from_ns" | "to_ns" | "compared">): Range {
  const since = change.kind === "silent" ? BigInt(change.since_ns) : BigInt(answer.to_ns);
  const width = BigInt(answer.to_ns) - BigInt(answer.from_ns);
  return absoluteRange(since - width / 2n, since + width / 30n);
}

export function errorAddress(service: string, error: NonNullable<OverviewService["newest_error"]>, range: Range): string {
  if (error.kind === "span" && error.trace_id !== null) return traceAddress(error.trace_id, error.span_id);
  const list = serviceErrors(service, range);
  return `${list}${list.includes("?") ? "&" : "?"}record=${encodeURIComponent(error.id)}`;
}
