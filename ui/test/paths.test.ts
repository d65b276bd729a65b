import { describe, expect, it } from "vitest";
import type { Span } from "../src/api/types";
import { byDifference, compareAddress, formatCompare, isOf, pairUp, parseCompare, traceIdIn, type Pair } from "../src/lib/trace/compare";
import { operations, sortOperations } from "../src/lib/trace/operations";
import { hasText, layOut, mergePaths, type Path } from "../src/lib/trace/paths";
import { boundText, decades, durationAt, heightOf, marksOf, nearest } from "../src/lib/trace/scatter";
import { parseDuration } from "../src/lib/trace/scale";
import { byTrace, formatTraces, parseTraces, searchOf } from "../src/lib/trace/search";
import { buildTrace } from "../src/lib/trace/tree";
import { formatTrace, isTraceStep, parseTrace } from "../src/lib/trace/view";

const BEGAN = 1_795_374_319_108_694_123n;

/** `id<parent name from-to`, in nanoseconds; a `!` behind it is an error. The service is `s`, or what stands before a `/` in the name. */
function span(text: string): Span {
  const [, id, parent, name, from, to, error] = /^(\w+)(?:<(\w+))? (\S+) (\d+)-(\d*)(!?)$/.exec(text)!;
  const [service, operation] = name!.includes("/") ? name!.split("/") : ["s", name];
  return {
    span_id: id, parent_span_id: parent ?? null, name: operation, service, kind: "internal", time_ns: String(BEGAN + BigInt(from!)), end_ns: to ? String(BEGAN + BigInt(to)) : null,
    duration_ms: to ? (Number(to) - Number(from)) / 1e6 : null, status_code: error ? "error" : "unset", attributes: [], trace_id: `t${id}`,
  } as unknown as Span;
}

const paths = (...texts: string[]) => mergePaths(buildTrace(texts.map(span)));
const line = (path: Path) => `${"  ".repeat(path.depth)}${path.operation} x${path.nodes.length} ${path.total}/${path.self}${path.errors ? ` !${path.errors}` : ""}`;

describe("calls merged by path", () => {
  const check = (name: string, texts: string[], expected: string[]) => it(name, () => expect(paths(...texts).all.map(line)).toEqual(expected));
  check("sums siblings of one name", ["a root 0-100", "b<a get 10-20", "c<a get 30-50!"], ["root x1 100/70", "  get x2 30/30 !1"]);
  check("keeps apart what is called from elsewhere", ["a root 0-100", "b<a x 0-10", "c<b get 0-5", "d<a get 20-30"], ["root x1 100/80", "  x x1 10/5", "    get x1 5/5", "  get x1 10/10"]);
  check("keeps apart services", ["a root 0-10", "b<a p/get 0-1", "c<a q/get 1-2"], ["root x1 10/8", "  get x1 1/1", "  get x1 1/1"]);
  check("counts time once where children overlap", ["a root 0-100", "b<a x 10-60", "c<a y 20-80"], ["root x1 100/30", "  x x1 50/50", "  y x1 60/60"]);
  check("and not what a child does after its parent", ["a root 0-100", "b<a x 90-200"], ["root x1 100/90", "  x x1 110/110"]);
  check("takes a span without an end as no time", ["a root 5-", "b<a x 6-9"], ["root x1 0/0", "  x x1 3/3"]);
  it("is empty where there are no spans", () => expect(paths()).toMatchObject({ roots: [], all: [], weight: 0 }));
  it("has no two names that look like one", () => expect(paths("a x/y 0-1", "b x 0-1").roots.length).toBe(2));
  it("is as deep as the trace", () => {
    const deep = mergePaths(buildTrace(Array.from({ length: 20_000 }, (_, n) => span(`n${n}${n ? `<n${n - 1}` : ""} op${n} 0-${30_000 - n}`))));
    expect(deep.all.length).toBe(20_000);
    expect(layOut(deep, null, 0.001).rows.length).toBe(20_000);
  });
  it("finds by service and operation", () => {
    const [one] = paths("a Cart/GetItems 0-1").all;
    expect(["cart", "items", "pay"].map((text) => hasText(one!, text))).toEqual([true, true, false]);
  });
});

describe("where paths are drawn", () => {
  const boxes = (texts: string[], top: string | null, least = 0) => {
    const merged = paths(...texts);
    const { rows, narrow } = layOut(merged, merged.all.find(({ operation }) => operation === top) ?? null, least);
    return { narrow, rows: rows.map((row) => row.map(({ path, left, width }) => `${path.operation} ${left.toFixed(2)}+${width.toFixed(2)}`).join(", ")) };
  };
  const TWO = ["a root 0-100", "b<a small 0-20", "c<a large 20-80", "d<c leaf 20-35"];
  it("as wide as their time, the widest first", () => expect(boxes(TWO, null).rows).toEqual(["root 0.00+1.00", "large 0.00+0.60, small 0.60+0.20", "leaf 0.00+0.15"]));
  it("a chosen one fills the width, and so does what is above it", () => expect(boxes(TWO, "large").rows).toEqual(["root 0.00+1.00", "large 0.00+1.00", "leaf 0.00+0.25"]));
  it("leaves out what is too narrow, and counts it", () => expect(boxes(TWO, null, 0.18)).toEqual({ narrow: 1, rows: ["root 0.00+1.00", "large 0.00+0.60, small 0.60+0.20"] }));
  it("what ran side by side does not leave its parent", () =>
    expect(boxes(["a root 0-100", "b<a x 0-100", "c<a y 0-100"], null).rows).toEqual(["root 0.00+1.00", "x 0.00+0.50, y 0.50+0.50"]));
  it("nothing took any time", () => expect(boxes(["a root 0-"], "root").rows).toEqual(["root 0.00+1.00"]));
});

describe("operations", () => {
  const table = (...texts: string[]) => operations(buildTrace(texts.map(span)));
  it("sums wherever it was called from", () => {
    expect(table("a root 0-100", "b<a get 0-10", "c<a x 20-60", "d<c get 20-50!").find(({ operation }) => operation === "get"))
      .toEqual({ service: "s", operation: "get", count: 2, total: 40, self: 40, p95: 30, errors: 1 });
  });
  it("does not count again what lies within itself", () => {
    expect(table("a f 0-100", "b<a f 10-60", "c<b f 20-30", "d f 200-210").map(({ total, self, count }) => [total, self, count])).toEqual([[110, 110, 4]]);
  });
  it("p95 is one of the durations", () => {
    expect(table(...Array.from({ length: 20 }, (_, n) => `n${n} f 0-${n + 1}`))[0]?.p95).toBe(19);
  });
  it("sorts by any column, and back", () => {
    const all = table("a b 0-5", "b a 0-9", "c c 0-5!");
    expect([["total", false], ["total", true], ["operation", false], ["errors", false]].map(([by, turned]) =>
      sortOperations(all, by as "total", turned as boolean).map(({ operation }) => operation).join(""))).toEqual(["abc", "cba", "abc", "cab"]);
  });
});

describe("two traces", () => {
  const A = ["a root 0-100", "b<a get 0-10", "c<a old 20-40"];
  const B = ["x root 500-650", "y<x get 500-580", "z<x get 580-590", "w<x new 600-630!"];
  const pairs = pairUp(paths(...A), paths(...B));
  const text = (pair: Pair) => `${pair.operation} ${pair.a?.count ?? "-"}:${pair.b?.count ?? "-"} ${pair.total} ${pair.self}`;
  it("are matched by path, whatever their ids and clocks", () =>
    expect(pairs.map(text).sort()).toEqual(["get 1:2 80 80", "new -:1 30 30", "old 1:- -20 -20", "root 1:1 50 -40"]));
  it("by the largest difference", () => {
    expect(byDifference(pairs, "total").map(({ operation }) => operation)).toEqual(["get", "root", "new", "old"]);
    expect(byDifference(pairs, "self").map(({ operation }) => operation)).toEqual(["get", "root", "new", "old"]);
  });
  it("differences of self sum to that of everything", () => expect(pairs.reduce((sum, { self }) => sum + self, 0)).toBe(150 - 100));
  it("only in one, or in both", () =>
    expect((["all", "a", "b", "both"] as const).map((only) => pairs.filter((pair) => isOf(pair, only)).length)).toEqual([4, 1, 1, 2]));
  it("the same path below another parent is another", () =>
    expect(pairUp(paths("a p 0-9", "b<a get 0-1"), paths("a q 0-9", "b<a get 0-1")).filter((pair) => isOf(pair, "both"))).toEqual([]));
  it("with nothing in one", () => expect(pairUp(paths(), paths(...B)).every((pair) => isOf(pair, "b"))).toBe(true));
  it("in an address", () => {
    const view = { order: "total", only: "b", most: 50_000 } as const;
    expect(parseCompare(formatCompare(view))).toEqual(view);
    expect(parseCompare("?order=x&only=y&most=7")).toEqual(parseCompare(""));
    expect(compareAddress("a", "b/c")).toBe("/traces/a/compare/b%2Fc");
  });
  it("an id, or an address with one", () =>
    expect(["ABC1", "https://h/traces/00ff?span=1", " /traces/12 ", "0", "xyz", ""].map(traceIdIn)).toEqual(["abc1", "00ff", "12", null, null, null]));
});

describe("the scatter", () => {
  const found = byTrace(["a f 100-1100", "b f 0-10!", "c f 5-"].map(span));
  it("has what ended, oldest first, red by what the whole says", () => {
    expect(marksOf(found, new Map([["ta", { spans: 2, errors: 1, services: 1, through: 0 }]])).map(({ id, isError }) => [id, isError])).toEqual([["tb", true], ["ta", true]]);
    expect(marksOf(found, new Map()).map(({ isError }) => isError)).toEqual([true, false]);
  });
  it("is logarithmic, in whole decades", () => {
    const scale = decades(marksOf(found, new Map()));
    expect(scale).toEqual({ low: 1, high: 3 });
    expect([10, 100, 1000, 0].map((duration) => heightOf(duration, scale))).toEqual([0, 0.5, 1, 0]);
    expect(durationAt(0.5, scale)).toBeCloseTo(100);
  });
  it("has a scale where there is nothing", () => expect(decades([])).toEqual({ low: 6, high: 7 }));
  it("bounds never leave out what is in the box", () => {
    for (const ns of [1, 999.5, 12_345, 7_654_321, 123_456_789, 98_765_432_100]) {
      expect(parseDuration(boundText(ns, "least"))!).toBeLessThanOrEqual(ns);
      expect(parseDuration(boundText(ns, "most"))!).toBeGreaterThanOrEqual(ns);
    }
  });
  it("finds the nearest within reach", () => {
    const places = [{ x: 0, y: 0 }, { x: 10, y: 0 }];
    expect([nearest(places, 6, 0, 8), nearest(places, 4, 1, 8), nearest(places, 30, 0, 8)]).toEqual([1, 0, null]);
  });
});

describe("addresses", () => {
  it("hold the way a trace is shown, and a step back undoes it", () => {
    const flame = parseTrace("?view=flame&zoom=ab&by=self&turned_by=1");
    expect(flame).toMatchObject({ show: "flame", zoom: "ab", by: "self", byTurned: true });
    expect(parseTrace(formatTrace(flame))).toEqual(flame);
    expect(parseTrace("?view=other&by=other")).toEqual(parseTrace(""));
    expect(isTraceStep(parseTrace(""), flame)).toBe(true);
  });
  it("hold what is marked and whether the scatter is open, which asks nothing else", () => {
    const view = parseTraces("?service=web&marked=ab&scatter=0");
    expect(view).toMatchObject({ marked: "ab", scatter: "0" });
    expect(formatTraces(view)).toBe("?service=web&marked=ab&scatter=0");
    expect(searchOf(view)).toBe("?service=web");
    expect(parseTraces("?marked=<b>&scatter=7")).toEqual(parseTraces(""));
  });
});
