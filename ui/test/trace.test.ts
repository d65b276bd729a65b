import { describe, expect, it } from "vitest";
import type { LogRecord, Span, SpanKind } from "../src/api/types";
import { criticalPath, total } from "../src/lib/trace/critical";
import { has, logsBySpan, visibleRows, type Row } from "../src/lib/trace/rows";
import { barShare, nanos, parseDuration, place, ticks } from "../src/lib/trace/scale";
import { byRoots, byTrace, formatTraces, parseTraces, readSums, spanQuery, sumsSql, type TracesView } from "../src/lib/trace/search";
import { skew } from "../src/lib/trace/skew";
import { buildTrace } from "../src/lib/trace/tree";
import { MAX_TURNED, formatTrace, isClosed, parseTrace, turn, type TraceView } from "../src/lib/trace/view";

const BEGAN = 1_795_374_319_108_694_123n;

interface Made {
  kind?: SpanKind;
  error?: boolean;
  service?: string;
}

/** `id<parent from-to`, in nanoseconds; without a `to` it has no end. */
function span(text: string, { kind = "internal", error = false, service = "s" }: Made = {}): Span {
  const [, id, parent, from, to] = /^(\w+)(?:<(\w+))? (-?\d+)-(\d*)$/.exec(text)!;
  const at = (ns: string) => String(BEGAN + BigInt(ns));
  return {
    id: `spans.${id}`, trace_id: "t", span_id: id!, parent_span_id: parent ?? null, trace_state: "", flags: 0, name: `op ${id}`, kind, service, time: "", time_ns: at(from!), end: null,
    end_ns: to ? at(to) : null, duration_ms: to ? (Number(to) - Number(from)) / 1e6 : null, received: "", status_code: error ? "error" : "unset", status_message: "", attributes: [], events: [],
    links: [], dropped_attributes: 0, dropped_events: 0, dropped_links: 0, resource: [], scope: { name: "", version: "", attributes: [] },
  };
}

function record(id: string, spanId: string | null, at: number): LogRecord {
  return { id, span_id: spanId, time_ns: String(BEGAN + BigInt(at)), trace_id: "t", body: `line ${id}`, service: "s", attributes: [], resource: [] } as unknown as LogRecord;
}

const trace = (...texts: (string | Span)[]) => buildTrace(texts.map((one) => (typeof one === "string" ? span(one) : one)));
const shape = (built: ReturnType<typeof buildTrace>) => built.nodes.map((node) => `${"  ".repeat(node.depth)}${node.span.span_id}`).join("\n");
const open = () => false;
const keys = (rows: Row[]) => rows.map((row) => (row.kind === "span" ? row.node.span.span_id : row.record.id)).join(" ");

describe("the tree", () => {
  const check = (name: string, texts: (string | Span)[], expected: string) => it(name, () => expect(shape(trace(...texts))).toBe(expected));
  check("children by their start", ["c<a 5-6", "b<a 2-9", "a 0-10"], "a\n  b\n  c");
  check("a parent that never came", ["b<x 2-9", "a 0-10"], "a\nb");
  check("a ring begins where it begins first", ["b<c 3-4", "c<b 2-4"], "c\n  b");
  check("its own parent", ["a<a 0-1", "b<a 0-1"], "a\n  b");
  check("two halves of one span", [span("a<r 1-8", { kind: "server" }), span("a<r 0-9", { kind: "client" }), "r 0-10", "b<a 2-3"], "r\n  a\n    a\n      b");
  check("the same span twice", ["a 0-9", "b<a 1-2", "b<a 1-2"], "a\n  b\n  b");
  it("is empty where there are no spans", () => expect(trace()).toMatchObject({ roots: [], nodes: [], length: 0, services: 0 }));
  it("counts what is below, errors, services and the whole length", () => {
    const built = trace("a 0-10", span("b<a 1-2", { error: true }), span("c<b 1-30", { service: "z", error: true }), "d<a -5-2");
    expect(built).toMatchObject({ length: 35, services: 2, errors: 2, deepest: 2 });
    expect(built.roots[0]).toMatchObject({ below: 3, errorsBelow: 2, start: 5, end: 15 });
  });
  it("keeps nanoseconds apart that a double of the epoch would not", () => {
    expect(trace("a 0-1", "b 1-2").nodes.map(({ start }) => start)).toEqual([0, 1]);
  });
  it("takes a span that ends before it begins, or never", () => {
    expect(trace("a 5-1", "b 7-").nodes.map(({ start, end, ended }) => [start, end, ended])).toEqual([[0, 0, true], [2, 2, false]]);
  });
  it("is as deep as it is long, and neither that nor its path overflows", () => {
    const built = buildTrace(Array.from({ length: 30_000 }, (_, n) => span(`n${n}${n > 0 ? `<n${n - 1}` : ""} ${n}-${100_000 - n}`)));
    expect(built.deepest).toBe(29_999);
    expect(built.roots[0]!.below).toBe(29_999);
    expect(criticalPath(built.roots).size).toBe(30_000);
    expect(visibleRows(built, open, new Map())).toHaveLength(30_000);
  });
});

describe("the critical path", () => {
  const check = (name: string, texts: (string | Span)[], expected: string) =>
    it(name, () => {
      const found = [...criticalPath(trace(...texts).roots)];
      expect(found.flatMap(([node, all]) => all.map(([from, to]) => `${node.span.span_id} ${from}-${to}`)).sort().join(", ")).toBe(expected);
    });
  check("one span is all of it", ["a 0-10"], "a 0-10");
  check("a child, and what is before and after it", ["a 0-10", "b<a 2-7"], "a 0-2, a 7-10, b 2-7");
  check("one after the other", ["a 0-10", "b<a 1-4", "c<a 5-9"], "a 0-1, a 4-5, a 9-10, b 1-4, c 5-9");
  check("of two at once the one that ends last", ["a 0-10", "b<a 1-6", "c<a 2-9"], "a 0-2, a 9-10, c 2-9");
  check("what outlasts its parent counts while that runs", ["a 0-10", "b<a 4-20"], "a 0-4, b 4-10");
  check("what begins before its parent counts from there on", ["a 5-10", "b<a 0-8"], "a 8-10, b 5-8");
  check("what comes after its parent is not on it", ["a 0-10", "b<a 12-15"], "a 0-10");
  check("grandchildren", ["a 0-10", "b<a 2-8", "c<b 3-5"], "a 0-2, a 8-10, b 2-3, b 5-8, c 3-5");
  check("of several roots the longest", ["a 0-3", "b<x 1-9"], "b 1-9");
  check("nothing", [], "");
  it("adds up to the length of the root, whatever is below", () => {
    const built = trace("a 0-100", "b<a 5-40", "c<a 30-90", "d<b 0-60", "e<c 35-95", "f<c 36-37", "g<a 95-99");
    expect([...criticalPath(built.roots).values()].reduce((sum, all) => sum + total(all), 0)).toBe(100);
  });
});

describe("clock skew", () => {
  const check = (name: string, parent: Span, child: Span, expected: unknown) => it(name, () => expect(skew(trace(parent, child).byId.get(child.span_id)!)).toEqual(expected));
  const client = span("a 10-20", { kind: "client" });
  check("within its parent", client, span("b<a 10-20", { kind: "server" }), null);
  check("before its parent", client, span("b<a 7-15"), { how: "begins_before", by: 3 });
  check("an answer that comes after the caller ended", client, span("b<a 12-25", { kind: "server" }), { how: "ends_after", by: 5 });
  check("a call that begins after the caller ended", client, span("b<a 22-25", { kind: "server" }), { how: "begins_after", by: 2 });
  check("work that goes on", span("a 10-20"), span("b<a 12-25"), null);
  check("a message is taken later", span("a 10-11", { kind: "producer" }), span("b<a 90-95", { kind: "consumer" }), null);
  check("a message is not taken before it was sent", span("a 10-11", { kind: "producer" }), span("b<a 9-95", { kind: "consumer" }), { how: "begins_before", by: 1 });
  check("a caller without an end", span("a 10-", { kind: "client" }), span("b<a 12-25", { kind: "server" }), null);
  it("a root has no parent to be beside", () => expect(skew(trace("a 0-1").roots[0]!)).toBeNull());
});

describe("rows", () => {
  const built = trace("a 0-100", "b<a 10-40", "c<b 12-20", "d<a 50-60");
  const logs = [record("late", "a", 70), record("early", "a", 5), record("inner", "c", 15), record("lost", "zz", 45), record("bare", null, 200)];
  it("have records among the spans at their time", () => expect(keys(visibleRows(built, open, logsBySpan(built, logs)))).toBe("a early b c inner d late lost bare"));
  it("hide what is below a closed span, its records too", () => {
    expect(keys(visibleRows(built, (node) => node.span.span_id === "b", logsBySpan(built, logs)))).toBe("a early b d late lost bare");
  });
  it("have no records where nobody wants them", () => expect(keys(visibleRows(built, open, new Map()))).toBe("a b c d"));
  it("are found by name and message", () => {
    const rows = visibleRows(built, open, logsBySpan(built, logs));
    expect(keys(rows.filter((row) => has(row, "OP C")))).toBe("c");
    expect(keys(rows.filter((row) => has(row, "line l")))).toBe("late lost");
  });
});

describe("folding", () => {
  const built = trace("a 0-100", "b<a 10-40", "c<b 12-20", "d<c 13-14");
  const closed = (folded: boolean, turned: string[]) => built.nodes.filter(isClosed({ folded, turned })).map(({ span: { span_id: id } }) => id).join(" ");
  it("by hand", () => expect(closed(false, ["b"])).toBe("b"));
  it("of all but the root", () => expect(closed(true, [])).toBe("b c"));
  it("of all, with one folded out", () => expect(closed(true, ["b"])).toBe("c"));
  it("never of what has nothing below it", () => expect(closed(false, ["d"])).toBe(""));
  it("turns round and back, and keeps its bound", () => {
    expect(turn(["a"], "a")).toEqual([]);
    expect(turn(Array.from({ length: MAX_TURNED }, (_, n) => String(n)), "x")).toHaveLength(MAX_TURNED);
  });
});

describe("durations", () => {
  const check = (text: string, expected: number | null) => it(JSON.stringify(text), () => expect(parseDuration(text)).toBe(expected));
  check("150ms", 150e6);
  check(" 1.5 s ", 1.5e9);
  check("20", 20e6);
  check("3us", 3000);
  check("7ns", 7);
  check("2 min", 12e10);
  check("1h", 3.6e12);
  for (const nonsense of ["", "soon", "-5ms", "1e3s", "5 parsecs", "9".repeat(30)]) check(nonsense, null);
  it.each([[0, "0"], [999, "999 ns"], [1000, "1 µs"], [62_100_000, "62.1 ms"], [1_130_000_000, "1.13 s"], [90e9, "1.5 min"], [7.2e12, "2.0 h"], [-5e6, "−5 ms"]])("%d is %s", (ns, text) => expect(nanos(ns)).toBe(text));
});

describe("the axis", () => {
  it("has round marks", () => expect(ticks(0, 227, 5)).toEqual([0, 50, 100, 150, 200]));
  it("of a part", () => expect(ticks(13, 30, 4)).toEqual([15, 20, 25]));
  it("of nothing", () => expect(ticks(5, 5, 5)).toEqual([5]));
  it("places a stretch, cut to the window", () => {
    expect(place(50, 150, { from: 100, to: 200 })).toEqual({ left: 0, width: 0.5 });
    expect(place(0, 50, { from: 100, to: 200 })).toBeNull();
  });
  it("has bars that slow ones do not make dots of", () => {
    expect([barShare(100, 100), barShare(10, 100), barShare(1e-9, 100), barShare(0, 100), barShare(5, 0)]).toEqual([1, 0.75, 0.01, 0, 0]);
  });
});

describe("the search", () => {
  const view = (patch: Partial<TracesView>): TracesView => ({ ...parseTraces(""), ...patch });
  const check = (name: string, patch: Partial<TracesView>, expected: string) => it(name, () => expect(spanQuery(view(patch))).toBe(expected));
  check("nothing asked: the spans that traces begin with", {}, "not span.parent_id:*");
  check("durations are those of whole traces", { least: "100ms", most: "2s" }, "span.duration_ns>=100000000 and span.duration_ns<=2000000000 and not span.parent_id:*");
  check("a service asks for its own spans", { service: "pay ment", operation: "GET /" }, 'service.name:"pay ment" and span.name:"GET /"');
  check("errors of any span", { errors: true }, "span.status.code:error");
  check("an or stays within", { q: "a or b", service: "s" }, "(a or b) and service.name:s");
  it("goes through the address and back", () => {
    const all = view({ q: "x y", from: "-7d", service: "<b>", operation: "a&b", least: "1ms", most: "2", errors: true, through: "z" });
    expect(parseTraces(formatTraces(all))).toEqual(all);
    expect(formatTraces(view({}))).toBe("");
    expect(byRoots(view({ least: "1ms" }))).toBe(true);
  });
  it("makes traces of spans, shown by the one they began with", () => {
    const of = (id: string, text: string) => ({ ...span(text), trace_id: id });
    const found = byTrace([of("1", "c<b 9-10"), of("2", "x 8-9"), of("1", "a 5-20"), of("1", "b<a 1-7")]);
    expect(found.map((one) => [one.id, one.span.span_id, one.matched])).toEqual([["1", "a", 3], ["2", "x", 1]]);
  });
  it("asks for sums in one statement that no name can break", () => {
    const sql = sumsSql([{ id: "ab", span: { ...span("a 0-1"), time_ns: "1795168800000000000" }, matched: 1 }], "o'neil");
    expect(sql).toContain(`"service.name" = 'o''neil'`);
    expect(sql).toContain("time >= timestamp '2026-11-20T09:00:00Z' and time < timestamp '2026-11-20T11:00:00Z' and trace_id in ('ab')");
    expect(readSums([["ab", 5, 1, 2, 0]]).get("ab")).toEqual({ spans: 5, errors: 1, services: 2, through: 0 });
  });
});

describe("the view of a trace goes through the address and back", () => {
  const fresh = parseTrace("");
  const check = (name: string, patch: Partial<TraceView>) => it(name, () => expect(parseTrace(formatTrace({ ...fresh, ...patch }))).toEqual({ ...fresh, ...patch }));
  check("fresh", {});
  check("everything", { span: "ab", record: "default.1.2", folded: true, turned: ["ab", "cd"], zoom: "ab", logs: false, path: false, find: "a & b", most: 50_000 });
  it("is short where nothing is special", () => expect(formatTrace(fresh)).toBe(""));
  it("takes no nonsense", () => expect(parseTrace("?turned=<script>,zz,AB&most=7&logs=maybe")).toEqual(fresh));
});
