import { describe, expect, it } from "vitest";
import type { Edge, LogRecord, MtlsState, Service, Span } from "../src/api/types";
import { DRAWN, busiest, crosses, join, meshesOf, named, newestErrors, sorted, weakest, type Row, type Sort } from "../src/lib/graph/join";
import { NODE, layOut } from "../src/lib/graph/layers";
import { edgeLogs, edgeTraces, formatServices, isServicesStep, parseServices, stepRange, type ServicesView } from "../src/lib/graph/view";
import { toRfc3339 } from "../src/lib/time";

type Pair = [string, string];
const pairs = (text: string): Pair[] => text.split(" ").filter(Boolean).map((one) => one.split(">") as Pair);
const lay = (text: string) => layOut([...new Set(pairs(text).flat())], pairs(text));
const columns = (text: string) => {
  const found: string[][] = [];
  for (const { name, layer } of lay(text).nodes.values()) (found[layer] ??= []).push(name);
  return found.map((names) => names.sort().join(" ")).join(" | ");
};

describe("layers", () => {
  const check = (text: string, expected: string) => it(text, () => expect(columns(text)).toBe(expected));
  check("a>b b>c", "a | b | c");
  check("a>b a>c b>d c>d", "a | b c | d");
  check("a>c a>b b>c", "a | b | c");
  check("a>b b>c c>a", "a | b | c");
  check("a>b b>a", "a | b");
  check("x>b a>b b>a", "x | b | a");
});

describe("the layout", () => {
  it("has no two services on one another, and all of them within", () => {
    const names = Array.from({ length: 40 }, (_, n) => `n${n}`);
    const edges = Array.from({ length: 120 }, (_, n): Pair => [`n${(n * 7) % 40}`, `n${(n * 11 + 3) % 40}`]);
    const { nodes, width, height } = layOut(names, edges);
    const all = [...nodes.values()];
    expect(all).toHaveLength(40);
    for (const [at, a] of all.entries()) {
      expect(a.x >= 0 && a.y >= 0 && a.x + NODE.width <= width && a.y + NODE.height <= height).toBe(true);
      for (const b of all.slice(at + 1)) expect(Math.abs(a.x - b.x) >= NODE.width || Math.abs(a.y - b.y) >= NODE.height).toBe(true);
    }
  });
  it("draws every edge, to itself and back too, from one to the other", () => {
    const { edges, nodes } = lay("a>b b>a b>b a>c b>c c>d a>d");
    expect(edges.map(({ from, to }) => `${from}>${to}`).join(" ")).toBe("a>b b>a b>b a>c b>c c>d a>d");
    for (const { from, to, path } of edges) {
      expect(path).not.toContain("NaN");
      const [start, end] = [nodes.get(from)!, nodes.get(to)!];
      const [x, y] = path.slice(1).split(/[CL]/)[0]!.split(" ").map(Number) as [number, number];
      expect(x === start.x || x === start.x + NODE.width).toBe(true);
      const [lastX] = path.split(/[CL ]/).slice(-2).map(Number) as [number, number];
      expect(lastX === end.x || lastX === end.x + NODE.width).toBe(true);
      expect(y).toBeGreaterThan(start.y);
    }
  });
  it("crosses no edges where none must", () => {
    const { nodes, edges } = lay("c>z a>y b>y a>x");
    const height = (name: string) => nodes.get(name)!.y;
    const crosses = edges.filter((one) => edges.some((other) => (height(one.from) - height(other.from)) * (height(one.to) - height(other.to)) < 0));
    expect(crosses).toEqual([]);
  });
  it("sets those without calls below the others", () => {
    const { nodes } = layOut(["a", "b", "alone", "self"], [["a", "b"], ["self", "self"]]);
    expect(nodes.get("alone")!.y).toBeGreaterThan(nodes.get("a")!.y);
    expect(nodes.get("self")!.x).toBeGreaterThan(nodes.get("alone")!.x);
  });
  it("is something for nothing", () => expect(layOut([], [])).toMatchObject({ edges: [], width: NODE.width + 2 * NODE.margin }));
  it("leaves out edges to what is not drawn", () => expect(layOut(["a"], [["a", "gone"]]).edges).toEqual([]));
  it("is as deep as it has to be, without recursion", () => {
    const names = Array.from({ length: 5000 }, (_, n) => `n${n}`);
    expect(layOut(names, names.slice(1).map((name, at): Pair => [`n${at}`, name])).nodes.get("n4999")!.layer).toBe(4999);
  });
});

describe("groups", () => {
  const GROUPS: { [name: string]: string } = { a: "one", b: "one", c: "two", d: "two", e: "one" };
  const { nodes, frames } = layOut([..."abcdefg"], pairs("a>b b>c a>c c>d d>e a>f f>d g>f"), (name) => GROUPS[name] ?? null);
  const holds = ({ x, y, width, height }: (typeof frames)[number], name: string) => {
    const node = nodes.get(name)!;
    return node.x >= x && node.y >= y && node.x + NODE.width <= x + width && node.y + NODE.height <= y + height;
  };
  const touches = ({ x, y, width, height }: (typeof frames)[number], name: string) => {
    const node = nodes.get(name)!;
    return node.x < x + width && node.x + NODE.width > x && node.y < y + height && node.y + NODE.height > y;
  };
  it("have a frame each, with all of its own and nobody else within", () => {
    expect(frames.map(({ group }) => group).sort()).toEqual(["one", "two"]);
    for (const frame of frames) {
      expect([..."abcdefg"].filter((name) => holds(frame, name)).join("")).toBe([..."abcdefg"].filter((name) => GROUPS[name] === frame.group).join(""));
      expect([..."abcdefg"].filter((name) => GROUPS[name] !== frame.group && touches(frame, name))).toEqual([]);
    }
  });
  it("have frames that do not lie on one another, and within the picture", () => {
    const [high, low] = [...frames].sort((a, b) => a.y - b.y);
    expect(high!.y + high!.height).toBeLessThanOrEqual(low!.y);
    expect(high!.y >= 0 && frames.every(({ x }) => x >= 0)).toBe(true);
  });
  it("are none where nobody is in one", () => expect(lay("a>b").frames).toEqual([]));
});

const NOBODY = { spans: 0, caller_proxy: 0, callee_proxy: 0, caller_connections: 0, callee_connections: 0 };
const figures = { rate: 1, errors: 0, error_ratio: 0, duration_ms: { p50: 1, p95: 2, p99: 3 }, measured_by: "spans" as const, seen_by: NOBODY };
const service = (name: string, patch: Partial<Service> = {}): Service => ({ service: name, requests: 1, ...figures, ...patch });
const edge = (caller: string, callee: string | null, calls = 1, state: MtlsState | null = null): Edge => ({
  caller, callee, traced: true, calls, ...figures, mesh: { caller: null, callee: null }, mtls: state && { state, proven: 0, claimed: 0, unproven: 0, plaintext: 0 },
});

describe("services and calls together", () => {
  const rows = join([service("a"), service("b")], [edge("a", "b", 1, "proven"), edge("c", "b", 1, "plaintext"), edge("b", "db"), edge("b", null)], new Map());
  it("have a row for all, also for those of whom only callers speak", () => expect(rows.map(({ name, stats }) => [name, stats !== null])).toEqual([["a", true], ["b", true], ["c", false], ["db", false]]));
  it("show the weakest of the calls to them", () => expect(rows.map(({ mtls }) => mtls)).toEqual([null, "plaintext", null, null]));
  it("list who calls and who is called", () => expect([rows[1]!.callers.length, rows[1]!.callees.length]).toEqual([2, 2]));
  it("know no mutual TLS where nobody speaks of it", () => expect([weakest([]), weakest([edge("a", "b")]), weakest([edge("a", "b", 1, "claimed"), edge("a", "b", 1, "proven")])]).toEqual([null, null, "claimed"]));
});

describe("meshes", () => {
  const within = (caller: string, callee: string | null, of: Edge["mesh"], calls = 1): Edge => ({ ...edge(caller, callee, calls), mesh: of });
  const edges = [within("a", "b", { caller: "istio", callee: "istio" }), within("b", "c", { caller: "istio", callee: "consul" }), within("b", "c", { caller: "linkerd", callee: null }, 5), within("c", "db", { caller: "consul", callee: null }), within("db", null, { caller: null, callee: "istio" })];
  it("are those of the proxies on the side of the service, by most calls", () => expect([...meshesOf(edges)]).toEqual([["a", "istio"], ["b", "linkerd"], ["c", "consul"]]));
  it("are left and entered by calls, to outside too", () => expect(edges.map((one) => crosses(meshesOf(edges), one))).toEqual([true, true, true, true, false]));
  it("are in the rows", () => expect(join([service("x")], edges, new Map()).map(({ name, mesh }) => [name, mesh])).toEqual([["x", null], ["a", "istio"], ["b", "linkerd"], ["c", "consul"], ["db", null]]));
});

describe("sorting", () => {
  const rows: Row[] = join([service("b", { requests: 5, error_ratio: 0.5 }), service("a", { requests: 9 }), service("c", { requests: 7, duration_ms: { p50: null, p95: null, p99: null } })], [edge("a", "z", 1, "plaintext"), edge("a", "c", 1, "proven")], new Map());
  const check = (by: Sort, turned: boolean, expected: string) => it(`${by}${turned ? ", turned" : ""}`, () => expect(sorted(rows, by, turned).map(({ name }) => name).join("")).toBe(expected));
  check("requests", false, "acbz");
  check("requests", true, "bcaz");
  check("name", false, "abcz");
  check("name", true, "zcba");
  check("errors", false, "bacz");
  check("p95", false, "abcz");
  check("mtls", false, "zcab");
});

describe("what is drawn", () => {
  it("is the busiest, and within bounds", () => {
    const edges = Array.from({ length: 500 }, (_, n) => edge(`n${n}`, `n${n + 1}`, n));
    const drawn = busiest(named(edges), []);
    expect(drawn.names).toHaveLength(DRAWN.nodes);
    expect(drawn.edges).toHaveLength(DRAWN.nodes - 1);
    expect(drawn.edges[0]!.calls).toBe(499);
  });
  it("has those that call nobody too", () => expect(busiest([], join([service("a")], [], new Map())).names).toEqual(["a"]));
});

it("the newest error of each service is a record or a span", () => {
  const log = { service: "a", time_ns: "20", body: { n: 2n ** 60n }, event_name: "" } as unknown as LogRecord;
  const span = (name: string, time: string) => ({ service: name, time_ns: time, status_message: "", name: "GET /" }) as unknown as Span;
  const found = newestErrors([log, { ...log, time_ns: "10" }], [span("a", "15"), span("b", "5")]);
  expect([...found].map(([name, { timeNs, text, record }]) => [name, timeNs, text, record !== null]).sort()).toEqual([["a", 20n, '{"n":"1152921504606846976"}', true], ["b", 5n, "GET /", false]]);
});

describe("the address", () => {
  const view = (patch: Partial<ServicesView>): ServicesView => ({ ...parseServices(""), ...patch });
  it("says all", () => {
    const all = view({ q: "x", from: "-1h", show: "map", sort: "p95", turned: true, service: "a&b", caller: "<c>", step: 7 });
    expect(parseServices(formatServices(all))).toEqual(all);
    expect(formatServices(view({}))).toBe("");
    expect(parseServices("?show=pie&sort=luck")).toEqual(view({}));
  });
  it("goes back over what was opened, not over how it was sorted", () => {
    expect(isServicesStep(view({}), view({ service: "a" }))).toBe(true);
    expect(isServicesStep(view({ service: "a" }), view({ service: "b" }))).toBe(false);
    expect(isServicesStep(view({}), view({ sort: "p99" }))).toBe(false);
  });
  it("knows the part of the range that is shown", () => {
    const fixed = { from: "2026-11-20T10:00:00Z", to: "2026-11-20T11:00:00Z" };
    const part = (patch: Partial<ServicesView>) => {
      const range = stepRange(view({ ...fixed, ...patch }));
      return range && [range.fromNs, range.toNs].map(toRfc3339).join(" ");
    };
    expect(part({ step: 1 })).toBe("2026-11-20T10:00:00Z 2026-11-20T10:02:00Z");
    expect(part({ step: 30 })).toBe("2026-11-20T10:58:00Z 2026-11-20T11:00:00Z");
    expect([part({ step: 0 }), part({ step: 3, from: "-1h", to: "now" }), part({ step: 3, to: fixed.from })]).toEqual([null, null, null]);
    expect(["?step=31", "?step=-1", "?step=1.5", "?step=x", "?step=30"].map((search) => parseServices(search).step)).toEqual([0, 0, 0, 0, 30]);
  });
  it("goes back over parts of the range at once", () => {
    expect([isServicesStep(view({}), view({ step: 1 })), isServicesStep(view({ step: 1 }), view({ step: 2 })), isServicesStep(view({ step: 2 }), view({}))]).toEqual([true, false, true]);
  });
  it("leads to the logs and traces of a call", () => {
    const [call] = named([edge("a b", "c")]);
    const range = { from: "-15m", to: "now" };
    expect(decodeURIComponent(edgeLogs(call!, range)).replaceAll("+", " ")).toBe('/logs?q=service.name:"a b" or service.name:c');
    expect(edgeTraces(call!, range)).toBe("/traces?service=c&through=a+b");
    expect(decodeURIComponent(edgeTraces({ ...call!, traced: false }, range))).toContain("q=peer.service:c+or+server.address:c");
  });
});
