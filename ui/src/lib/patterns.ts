/** The templates of a range: what of them is on screen, what became of each since the time before, and where they lead. Nothing here draws. */
import type { LogRecord, Pattern, PatternsAnswer } from "../api/types";
import { addClause, clauseFor, clauses, quote, removeClause, unquote } from "./query";
import { likeness } from "./template";
import { absoluteRange, type Range } from "./time";
import { askedParams, logsAddress, parseRange, searchText, type Asked } from "./url";

export const SHOWS = ["all", "new", "gone"] as const;
export type Show = (typeof SHOWS)[number];

export const SORTS = ["count", "change", "first"] as const;
export type Sort = (typeof SORTS)[number];

export interface PatternsView extends Asked {
  show: Show;
  sort: Sort;
  /** The other way round than one would first. */
  turned: boolean;
  /** What the text of a template must have in it. */
  find: string;
  /** The id or the text of the one whose details are open. */
  open: string;
}

export function parsePatterns(search: string): PatternsView {
  const params = new URLSearchParams(search);
  const [sort, turned] = (params.get("sort") ?? "").split(".");
  return {
    q: params.get("q") ?? "", ...parseRange(params), show: SHOWS.find((show) => show === params.get("show")) ?? "all",
    sort: SORTS.find((one) => one === sort) ?? "count", turned: turned === "turned", find: params.get("find") ?? "", open: params.get("open") ?? "",
  };
}

export function formatPatterns(view: PatternsView): string {
  const params = askedParams(view);
  if (view.show !== "all") params.set("show", view.show);
  if (view.sort !== "count" || view.turned) params.set("sort", view.sort + (view.turned ? ".turned" : ""));
  if (view.find) params.set("find", view.find);
  if (view.open) params.set("open", view.open);
  return searchText(params);
}

export function patternsAddress(view: Partial<PatternsView>): string {
  return `/patterns${formatPatterns({ ...parsePatterns(""), ...view })}`;
}

/** Neither sorting, nor each letter of what is looked for, nor going from one to the next is a step. */
export function isPatternsStep(before: PatternsView, after: PatternsView): boolean {
  const step = (view: PatternsView) => formatPatterns({ ...view, sort: "count", turned: false, find: "", open: view.open && "x" });
  return step(before) !== step(after);
}

/** What selects its records: its id, or its text where there is none that lasts, or none for this reader. */
export function askedBy({ id, template }: Pick<Pattern, "id" | "template">): string {
  return id ?? template;
}

export type Change = { kind: "new" | "gone" | "same" } | { kind: "more" | "less"; times: number };

/** Two counts of what happens by chance differ; this many standard deviations of their difference are no chance. */
const CHANCE = 3.3;
const LEAST_TIMES = 1.2;

export function changeOf({ count, before }: { count: number; before: number }): Change {
  if (before === 0) return { kind: "new" };
  if (count === 0) return { kind: "gone" };
  const times = Math.max(count, before) / Math.min(count, before);
  // The root of a count varies by a half, whatever the count is.
  const deviations = Math.abs(Math.sqrt(count) - Math.sqrt(before)) * Math.SQRT2;
  if (deviations < CHANCE || times < LEAST_TIMES) return { kind: "same" };
  return { kind: count > before ? "more" : "less", times };
}

/** From what is new over what is more and less to what is gone. */
function rank(change: Change): number {
  switch (change.kind) {
    case "new": return Infinity;
    case "gone": return -Infinity;
    case "same": return 0;
    case "more": return change.times;
    case "less": return -change.times;
  }
}

function compare(by: Sort, a: Pattern, b: Pattern): number {
  const most = sum(b) - sum(a);
  if (by === "count") return most;
  if (by === "first") return order(firstOf(b), firstOf(a)) || most;
  return order(rank(change(b)), rank(change(a))) || most;
}

/** Also of infinities, which have no difference. */
function order<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const change = ({ count, before }: Pattern) => changeOf({ count, before: before ?? 0 });

/** What is gone has only been before. */
function sum({ count, before }: Pattern): number {
  return count === 0 ? (before ?? 0) : count;
}

/** What is in no list yet came last. */
function firstOf({ first_seen_ns: ns }: Pattern): bigint {
  return ns === null ? 2n ** 63n : BigInt(ns);
}

export function sorted(patterns: readonly Pattern[], by: Sort, turned: boolean): Pattern[] {
  const all = [...patterns].sort((a, b) => compare(by, a, b));
  return turned ? all.reverse() : all;
}

export function found(patterns: readonly Pattern[], find: string): Pattern[] {
  const wanted = find.trim().toLowerCase();
  return wanted === "" ? [...patterns] : patterns.filter(({ template }) => template.toLowerCase().includes(wanted));
}

/** Of an answer to everything; null where it cannot say, having been cut. */
export function onlyNew({ patterns, more }: PatternsAnswer): Pattern[] | null {
  return more === 0 ? patterns.filter(({ before }) => before === 0) : null;
}

/** Whether there was anything before that one could compare with. */
export function hasBefore(answer: Pick<PatternsAnswer, "templates" | "new" | "gone">): boolean {
  return (answer.gone ?? 0) > 0 || (answer.new ?? 0) < answer.templates;
}

export interface ServiceCount {
  service: string;
  count: number;
}

/** Those that wrote what is listed, the most frequent first. */
export function servicesOf(patterns: readonly Pattern[], limit: number): ServiceCount[] {
  const counts = new Map<string, number>();
  for (const { services } of patterns) for (const { service, count } of services) counts.set(service, (counts.get(service) ?? 0) + count);
  return [...counts].map(([service, count]) => ({ service, count })).sort((a, b) => b.count - a.count || order(a.service, b.service)).slice(0, limit);
}

/** The one that the query is narrowed to, of those that are known. */
export function chosenService(q: string): string | null {
  for (const clause of clauses(q)) {
    const value = /^service\.name:(.+)$/s.exec(clause)?.[1];
    if (value === undefined) continue;
    const name = unquote(value);
    if (clauseFor("service.name", name) === clause) return name;
  }
  return null;
}

/** Narrowed to one service, another than before, or to none. */
export function withService(q: string, service: string | null): string {
  const chosen = chosenService(q);
  const rest = chosen === null ? q : removeClause(q, clauseFor("service.name", chosen));
  return service === null ? rest : addClause(rest, clauseFor("service.name", service));
}

type Bounds = Pick<PatternsAnswer, "from_ns" | "to_ns">;

/** The time that its records are of: what is gone was before. */
export function rangeOf({ count }: Pick<Pattern, "count">, bounds: Bounds): Range {
  const [from, to] = [BigInt(bounds.from_ns), BigInt(bounds.to_ns)];
  return count > 0 ? absoluteRange(from, to) : absoluteRange(from - (to - from), from);
}

/** A range that moves on stays one, but for what has gone out of it. */
export function patternLogs(pattern: Pick<Pattern, "id" | "template" | "count">, view: Asked, bounds: Bounds | undefined, more: { q?: string; record?: string } = {}): string {
  const range = pattern.count > 0 || !bounds ? { from: view.from, to: view.to } : rangeOf(pattern, bounds);
  return logsAddress({ q: more.q ?? view.q, ...range, template: askedBy(pattern), record: more.record ?? null });
}

/** Which of the templates of its moment a record is of; null if none is like it. */
export function templateOf(record: Pick<LogRecord, "id" | "body">, patterns: readonly Pattern[]): Pattern | null {
  const { id, body } = record;
  if (typeof body !== "string") return null;
  const shown = patterns.find(({ example }) => example?.id === id);
  if (shown) return shown;
  const alike = patterns.map((one) => ({ one, same: likeness(one.template, body) })).filter(({ same }) => same >= 0);
  return alike.sort((a, b) => b.same - a.same)[0]?.one ?? null;
}

/** What selects the records of the same service at the same moment: few, and this one is among them. */
export function momentOf(record: Pick<LogRecord, "time_ns" | "resource">): Asked {
  const ns = BigInt(record.time_ns);
  const service = record.resource.find(([name]) => name === "service.name")?.[1];
  return { q: typeof service === "string" && service !== "" ? clauseFor("service.name", service) : "", ...absoluteRange(ns, ns + 1n) };
}

/** A value of a variable as a part of the query. */
export function withValue(q: string, value: string): string {
  return addClause(q, quote(value));
}

export type Mood = "error" | "warn" | "info";

/** What a chart of all its records is drawn in: a statement has one severity nearly always. */
export function moodOf({ severity }: Pick<Pattern, "severity">): Mood {
  const all = Object.values(severity).reduce((total, count) => total + (count ?? 0), 0);
  const bad = (severity.error ?? 0) + (severity.fatal ?? 0);
  if (bad * 2 > all) return "error";
  return (bad + (severity.warn ?? 0)) * 2 > all ? "warn" : "info";
}

/** A bar that is not empty can be seen. */
const LEAST = 0.08;

/** The bars of a chart as one path, since there are hundreds of charts. */
export function barPath(series: readonly number[], width: number, height: number): string {
  const most = Math.max(1, ...series);
  const step = width / Math.max(1, series.length);
  const gap = step > 3 ? 1 : 0;
  return series.map((count, at) => {
    if (count <= 0) return "";
    const tall = Math.max(LEAST, count / most) * height;
    return `M${round(at * step)} ${height}v${round(-tall)}h${round(step - gap)}V${height}z`;
  }).join("");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
