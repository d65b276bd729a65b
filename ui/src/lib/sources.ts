/** The ledger as it is shown: which sources, whether they balance, who has fallen silent, and how the charts are drawn. Nothing here draws. */
import type { Source, SourceCounts, SourceLine } from "../api/types";
import { clauseFor } from "./query";
import { absoluteNs, durationNs, isLive, type Range } from "./time";
import { tracesAddress } from "./trace/search";
import { askedParams, logsAddress, parseRange, searchText, type Asked } from "./url";

export const SORTS = ["source", "received", "missing", "stored", "deduplicated", "deferred", "rejected", "dropped", "refused", "lag", "seen"] as const;
export type Sort = (typeof SORTS)[number];

export interface SourcesView extends Asked {
  protocol: string;
  sort: Sort;
  /** The other way round than one would first. */
  turned: boolean;
  /** The key of the source whose details are open. */
  source: string;
}

export function parseSources(search: string): SourcesView {
  const params = new URLSearchParams(search);
  const [sort, turned] = (params.get("sort") ?? "").split(".");
  return {
    q: params.get("q") ?? "", ...parseRange(params), protocol: params.get("protocol") ?? "", sort: SORTS.find((one) => one === sort) ?? "received",
    turned: turned === "turned", source: params.get("source") ?? "",
  };
}

export function formatSources(view: SourcesView): string {
  const params = askedParams(view);
  if (view.protocol) params.set("protocol", view.protocol);
  if (view.sort !== "received" || view.turned) params.set("sort", view.sort + (view.turned ? ".turned" : ""));
  if (view.source) params.set("source", view.source);
  return searchText(params);
}

/** Typing a filter is no step that one would take back letter by letter. */
export function isSourcesStep(before: SourcesView, after: SourcesView): boolean {
  const step = ({ from, to, source }: SourcesView) => [from, to, source === ""].join("\0");
  return step(before) !== step(after);
}

export function keyOf({ protocol, peer, sender, identity, others }: Source): string {
  return [protocol, others ? "*" : (peer ?? ""), sender ?? "", identity ?? ""].join("|").replace(/\|+$/, "");
}

/** What may have become of what was received, in the order of the equation. */
export const FATES = ["stored", "deduplicated", "deferred", "rejected", "dropped"] as const;
export type Fate = (typeof FATES)[number];

/** Received, and nobody knows what became of it. Below zero: more became of something than was received. */
export function missing(counts: SourceCounts): number {
  return counts.received - FATES.reduce((sum, fate) => sum + counts[fate], 0);
}

export function totalOf(all: readonly SourceCounts[]): SourceCounts {
  const sum = (of: (one: SourceCounts) => number) => all.reduce((before, one) => before + of(one), 0);
  const reasons = (of: (one: SourceCounts) => Reasons) => all.reduce<Reasons>((before, one) => joined(before, of(one)), {});
  return {
    received: sum((one) => one.received), stored: sum((one) => one.stored), deduplicated: sum((one) => one.deduplicated), deferred: sum((one) => one.deferred),
    rejected: sum((one) => one.rejected), rejected_for: reasons((one) => one.rejected_for), dropped: sum((one) => one.dropped), dropped_for: reasons((one) => one.dropped_for),
    refused_requests: sum((one) => one.refused_requests), refused_for: reasons((one) => one.refused_for), bytes: sum((one) => one.bytes),
    balanced: all.every((one) => one.balanced),
  };
}

type Reasons = { [reason: string]: number };

function joined(one: Reasons, other: Reasons): Reasons {
  const both = { ...one };
  for (const [reason, count] of Object.entries(other)) both[reason] = (both[reason] ?? 0) + count;
  return both;
}

export function matching(sources: readonly Source[], { q, protocol }: Pick<SourcesView, "q" | "protocol">): Source[] {
  const words = q.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return sources.filter((source) => {
    const text = [source.protocol, source.peer, source.sender, source.identity].join(" ").toLowerCase();
    return (protocol === "" || source.protocol === protocol) && words.every((word) => text.includes(word));
  });
}

function valueOf(source: Source, by: Sort): number | string | null {
  switch (by) {
    case "source": return keyOf(source);
    case "missing": return source.balanced ? 0 : Math.max(1, Math.abs(missing(source)));
    case "refused": return source.refused_requests;
    case "lag": return source.lag_seconds;
    case "seen": return source.silent_seconds;
    default: return source[by];
  }
}

/** Names and ages from small to large, amounts from large to small; what is not known comes last whichever way. */
export function rises(by: Sort): boolean {
  return by === "source" || by === "seen";
}

export function sorted(sources: readonly Source[], by: Sort, turned: boolean): Source[] {
  const sign = rises(by) === turned ? -1 : 1;
  const named = (a: Source, b: Source) => keyOf(a).localeCompare(keyOf(b));
  return [...sources].sort((a, b) => {
    const [left, right] = [valueOf(a, by), valueOf(b, by)];
    if (left === null || right === null) return left === right ? named(a, b) : left === null ? 1 : -1;
    const order = typeof left === "string" ? left.localeCompare(String(right)) : left - Number(right);
    return sign * order || named(a, b);
  });
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const BARS = 30;
/** Lines of an answer that a browser still reads quickly: about 10 MB of them. */
const LINES = 30_000;
const [FEWEST, MOST] = [50, 1000];

/** How fine the ledger is asked for, and for how many sources. */
export interface Grain {
  step: "minute" | "hour";
  stepMs: number;
  /** Of a bar, and of what the rule of silence counts in. */
  slotMs: number;
  limit: number;
}

export function widthMs({ from, to }: Range, nowMs: number): number {
  const ms = (text: string) => Number((absoluteNs(text) ?? 0n) / 1_000_000n);
  const back = (text: string) => (text === "now" ? nowMs : durationNs(text) === null ? ms(text) : nowMs - Number((durationNs(text) ?? 0n) / 1_000_000n));
  return Math.max(1, back(to) - back(from));
}

export function grainOf(width: number): Grain {
  const step = width <= 4 * HOUR_MS ? "minute" : "hour";
  const stepMs = step === "minute" ? MINUTE_MS : HOUR_MS;
  const lines = Math.ceil(Math.max(width, HOUR_MS) / stepMs) + 1;
  return { step, stepMs, slotMs: stepMs * Math.max(1, Math.ceil(width / stepMs / BARS)), limit: Math.min(MOST, Math.max(FEWEST, Math.floor(LINES / lines))) };
}

/** The time before a range that ends now: as long as it is, and back to an hour ago at least. */
export function timeBefore(range: Range): Range | null {
  const back = isLive(range) ? /^-(\d+)([a-z]+)$/.exec(range.from) : null;
  if (!back) return null;
  const isShort = (durationNs(range.from) ?? 0n) < BigInt(HOUR_MS / 2) * 1_000_000n;
  return { from: isShort ? "-1h" : `-${Number(back[1]) * 2}${back[2]}`, to: range.from };
}

export interface Slot {
  startMs: number;
  /** Received, and what of it was not kept: rejected, dropped, or nobody knows. */
  received: number;
  lost: number;
}

/** Slots without gaps from the first minute of a range to its end; what began before is counted in the first. */
export function slots(lines: readonly SourceLine[], fromMs: number, toMs: number, slotMs: number): Slot[] {
  const count = Math.min(BARS * 3, Math.max(1, Math.ceil((toMs - fromMs) / slotMs)));
  const found = Array.from({ length: count }, (_, at) => ({ startMs: fromMs + at * slotMs, received: 0, lost: 0 }));
  for (const line of lines) {
    const slot = found[Math.min(count - 1, Math.max(0, Math.floor((Date.parse(line.time) - fromMs) / slotMs)))];
    if (!slot) continue;
    slot.received += line.received;
    slot.lost += line.rejected + line.dropped + Math.abs(missing(line));
  }
  return found;
}

/** Slots in which it sent: fewer are no habit. */
const HABIT = 5;
/** Records that should have come by now. */
const EXPECTED = 10;

/**
 * For how many seconds a source that sent regularly has sent nothing; null if it still sends, or never was regular. `lines` are those of the range and of
 * the time before it, `upSeconds` how long the server has been there to be sent to.
 */
export function silence(source: Pick<Source, "silent_seconds">, lines: readonly SourceLine[], slotMs: number, upSeconds: number): number | null {
  if (source.silent_seconds === null) return null;
  const spoke = [...new Set(lines.filter(({ received }) => received > 0).map(({ time }) => Math.floor(Date.parse(time) / slotMs)))].sort((a, b) => a - b);
  const [first, last] = [spoke[0], spoke[spoke.length - 1]];
  if (first === undefined || last === undefined || spoke.length < HABIT) return null;
  const pause = spoke.reduce((longest, slot, at) => Math.max(longest, at === 0 ? 0 : slot - (spoke[at - 1] ?? slot)), 1);
  const quiet = (Math.min(source.silent_seconds, upSeconds) * 1000) / slotMs;
  const rate = lines.reduce((sum, { received }) => sum + received, 0) / (last - first + 1);
  return quiet > 2 * pause && rate * quiet >= EXPECTED ? Math.min(source.silent_seconds, upSeconds) : null;
}

/** One that sent only in the time before, as it would be in the range: heard of, and nothing received. */
export function onlyBefore(source: Source): Source {
  return { ...source, ...totalOf([]), series: [] };
}

/** "12 s", "3 min", "5 h", "2 d". */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  return whole < 2 * 86_400 ? `${Math.floor(whole / 3600)} h` : `${Math.floor(whole / 86_400)} d`;
}

/** What protocols bring spans alone; over OTLP both come. */
const SPANS: readonly string[] = ["zipkin", "jaeger", "datadog-traces"];

export interface SourceWays {
  logs: string | null;
  traces: string | null;
}

/** By what records say of how they came: the protocol and the address, which several senders may share. */
export function waysOf(source: Source, { from, to }: Range): SourceWays {
  const clauses = [clauseFor("logkeep.protocol", source.protocol)];
  if (source.peer !== null && !source.others) clauses.push(clauseFor("logkeep.source", source.peer));
  const q = clauses.join(" and ");
  const spans = SPANS.includes(source.protocol);
  return { logs: spans ? null : logsAddress({ q, from, to }), traces: spans || source.protocol === "otlp" ? tracesAddress({ q, from, to }) : null };
}

/** Where a sender on this host would send to: a listener on all addresses is reached by the name that one reads it by. */
export function reached(address: string, host: string): string {
  return address.replace(/^(0\.0\.0\.0|\[::\]):/, `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:`);
}
