import { expect, test } from "vitest";
import type { Source, SourceCounts, SourceLine } from "../src/api/types";
import { sendersFor } from "../src/lib/senders";
import {
  age, formatSources, grainOf, isSourcesStep, keyOf, matching, missing, onlyBefore, parseSources, reached, silence, slots, sorted, timeBefore, totalOf, waysOf, widthMs,
} from "../src/lib/sources";

const NONE: SourceCounts = {
  received: 0, stored: 0, deduplicated: 0, deferred: 0, rejected: 0, rejected_for: {}, dropped: 0, dropped_for: {}, refused_requests: 0, refused_for: {}, bytes: 0, balanced: true,
};
const source = (more: Partial<Source>): Source => ({
  ...NONE, protocol: "otlp", peer: "10.0.0.1", sender: null, identity: null, others: false, last_seen: null, silent_seconds: null, newest: null, lag_seconds: null, ...more,
});
const at = (minute: number) => new Date(Date.UTC(2026, 10, 23, 2, minute)).toISOString();
const line = (minute: number, more: Partial<SourceLine> = {}): SourceLine => ({ ...NONE, time: at(minute), received: 10, stored: 10, ...more });

test("the address says what is shown, and nothing more", () => {
  const check = (search: string) => expect(formatSources(parseSources(search))).toBe(search);
  check("");
  check("?q=filebeat&from=-1h&protocol=beats&sort=lag.turned&source=beats%7C10.0.0.1");
  expect(formatSources(parseSources("?sort=height&from=yesterday"))).toBe("");
  const view = parseSources("");
  expect(isSourcesStep(view, { ...view, q: "a" })).toBe(false);
  expect(isSourcesStep(view, { ...view, source: "otlp" })).toBe(true);
});

test("a source is known by all that it is", () => {
  expect(keyOf(source({}))).toBe("otlp|10.0.0.1");
  expect(keyOf(source({ sender: "agent/1", identity: "CN=a" }))).toBe("otlp|10.0.0.1|agent/1|CN=a");
  expect(keyOf(source({ peer: null, others: true }))).toBe("otlp|*");
  expect(keyOf(source({ peer: null, protocol: "logkeep" }))).toBe("logkeep");
});

test("what is missing is what nobody knows of", () => {
  const check = (counts: Partial<SourceCounts>, expected: number) => expect(missing({ ...NONE, ...counts })).toBe(expected);
  check({ received: 10, stored: 4, deduplicated: 3, deferred: 1, rejected: 1, dropped: 1 }, 0);
  check({ received: 10, stored: 4 }, 6);
  check({ received: 1, stored: 4 }, -3);
});

test("sums keep reasons apart, and one that does not balance spoils them", () => {
  const one = { ...NONE, received: 3, rejected: 3, rejected_for: { malformed: 2, conflict: 1 } };
  const other = { ...NONE, received: 2, rejected: 1, rejected_for: { conflict: 1 }, balanced: false };
  expect(totalOf([one, other])).toEqual({ ...NONE, received: 5, rejected: 4, rejected_for: { malformed: 2, conflict: 2 }, balanced: false });
  expect(totalOf([])).toEqual(NONE);
  expect(onlyBefore(source({ received: 9, stored: 9, silent_seconds: 5 }))).toMatchObject({ received: 0, stored: 0, silent_seconds: 5, series: [] });
});

test("a filter has to be met by every word, somewhere", () => {
  const all = [source({ sender: "Filebeat/8" }), source({ protocol: "syslog", peer: "10.0.0.2" }), source({ identity: "CN=filebeat" })];
  const check = (q: string, protocol: string, expected: number[]) => expect(matching(all, { q, protocol }).map((one) => all.indexOf(one))).toEqual(expected);
  check("", "", [0, 1, 2]);
  check("  filebeat 10.0 ", "", [0, 2]);
  check("syslog filebeat", "", []);
  check("", "syslog", [1]);
});

test("amounts sort from large to small, names and ages from small to large, the unknown last", () => {
  const all = [source({ peer: "b", received: 1, silent_seconds: 9 }), source({ peer: "a", received: 5, lag_seconds: 2 }), source({ peer: "c", received: 9, balanced: false, silent_seconds: 3, lag_seconds: 7 })];
  const check = (by: Parameters<typeof sorted>[1], turned: boolean, expected: string) => expect(sorted(all, by, turned).map(({ peer }) => peer).join("")).toBe(expected);
  check("received", false, "cab");
  check("received", true, "bac");
  check("source", false, "abc");
  check("source", true, "cba");
  check("seen", false, "cba");
  check("seen", true, "bca");
  check("lag", false, "cab");
  check("lag", true, "acb");
  check("missing", false, "cab");
});

test("a range is asked for in minutes or hours, for as many sources as a browser reads", () => {
  const [minute, hour] = [60_000, 3_600_000];
  expect(grainOf(15 * minute)).toEqual({ step: "minute", stepMs: minute, slotMs: minute, limit: 491 });
  expect(grainOf(4 * hour)).toEqual({ step: "minute", stepMs: minute, slotMs: 8 * minute, limit: 124 });
  expect(grainOf(24 * hour)).toEqual({ step: "hour", stepMs: hour, slotMs: hour, limit: 1000 });
  expect(grainOf(30 * 24 * hour)).toMatchObject({ slotMs: 24 * hour, limit: 50 });
  expect(widthMs({ from: "-15m", to: "now" }, 0)).toBe(15 * minute);
  expect(widthMs({ from: "2026-11-23T01:00:00Z", to: "2026-11-23T02:00:00Z" }, 0)).toBe(hour);
  expect(timeBefore({ from: "-15m", to: "now" })).toEqual({ from: "-1h", to: "-15m" });
  expect(timeBefore({ from: "-4h", to: "now" })).toEqual({ from: "-8h", to: "-4h" });
  expect(timeBefore({ from: "2026-11-23T01:00:00Z", to: "now" })).toBeNull();
});

test("slots have no gaps, and what lies outside is counted at their ends", () => {
  const found = slots([line(0), line(3, { stored: 4, rejected: 2, dropped: 1 }), line(9)], Date.parse(at(1)), Date.parse(at(5)), 60_000);
  expect(found.map(({ received, lost }) => [received, lost])).toEqual([[10, 0], [0, 0], [10, 6], [10, 0]]);
  expect(found[0]?.startMs).toBe(Date.parse(at(1)));
});

test("who sent regularly and does not any more is silent", () => {
  const every = (step: number, count: number) => Array.from({ length: count }, (_, n) => line(n * step));
  const check = (lines: SourceLine[], seconds: number, expected: number | null, up = Infinity) => expect(silence(source({ silent_seconds: seconds }), lines, 60_000, up)).toBe(expected);
  check(every(1, 20), 130, 130);
  check(every(1, 20), 110, null);
  check(every(3, 8), 350, null);
  check(every(3, 8), 370, 370);
  // Too few to be a habit.
  check(every(1, 4), 4000, null);
  // One record a minute: after nine minutes it may be chance.
  check(every(1, 20).map((one) => ({ ...one, received: 1, stored: 1 })), 540, null);
  check(every(1, 20).map((one) => ({ ...one, received: 1, stored: 1 })), 660, 660);
  // While the server was away nobody could send.
  check(every(1, 20), 4000, null, 100);
  check(every(1, 20), 4000, 300, 300);
  check([...every(1, 20), line(30, { received: 0, stored: 0, refused_requests: 3 })], 130, 130);
  expect(silence(source({}), every(1, 20), 60_000, Infinity)).toBeNull();
});

test("ways lead to where the records of a protocol are", () => {
  const range = { from: "-1h", to: "now" };
  const q = (address: string | null) => address && new URLSearchParams(address.split("?")[1]).get("q");
  const check = (one: Partial<Source>, logs: string | null, traces: string | null) => expect([q(waysOf(source(one), range).logs), q(waysOf(source(one), range).traces)]).toEqual([logs, traces]);
  check({}, "logkeep.protocol:otlp and logkeep.source:10.0.0.1", "logkeep.protocol:otlp and logkeep.source:10.0.0.1");
  check({ protocol: "syslog", peer: "2001:db8::1" }, 'logkeep.protocol:syslog and logkeep.source:"2001:db8::1"', null);
  check({ protocol: "jaeger", peer: null, others: true }, null, "logkeep.protocol:jaeger");
});

test("ages are as short as one says them", () => {
  expect([0.4, 59.9, 60, 3599, 3600, 172_799, 172_800].map(age)).toEqual(["0 s", "59 s", "1 min", "59 min", "1 h", "47 h", "2 d"]);
});

test("lines for senders are of what listens, by the name the page was reached by", () => {
  const receiver = (protocol: string, address: string | null, more = {}) => ({ protocol, address, state: address ? "listening" : "off", ...more });
  const status = {
    ingest_example: "curl …",
    receivers: [receiver("syslog-udp", "[::]:5514"), receiver("otlp-grpc", "0.0.0.0:4317", { tls: true }), receiver("loki", null), receiver("http", "127.0.0.1:7280")],
  };
  expect(sendersFor(status, "logs.example").map(({ line: text }) => text)).toEqual([
    "curl …", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_ENDPOINT=https://logs.example:4317", 'exporters: {otlp: {endpoint: "https://logs.example:4317"}}',
    "logger --udp --server logs.example --port 5514 hello",
  ]);
  expect(reached("[::]:9200", "::1")).toBe("[::1]:9200");
  expect(reached("10.0.0.1:9200", "x")).toBe("10.0.0.1:9200");
});
