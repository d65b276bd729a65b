import { describe, expect, it } from "vitest";
import type { Change, OverviewAnswer } from "../src/api/types";
import { againAfter, bars, errorAddress, formatOverview, isOverviewStep, known, mood, movedTo, overviewAddress, parseOverview, ratio, steady, waysOf, waysOfService, type OverviewView } from "../src/lib/overview";

const VIEW: OverviewView = { from: "-15m", to: "now", auto: true };
const RANGE = { from: "-1h", to: "now" };
const ANSWER = { from_ns: "1795168800000000000", to_ns: "1795172400000000000", compared: null };

describe("the address", () => {
  it("goes there and back", () => {
    for (const view of [VIEW, { ...VIEW, from: "-7d" }, { ...VIEW, auto: false }, { from: "2026-11-20T10:00:00Z", to: "2026-11-20T11:00:00Z", auto: true }]) {
      expect(parseOverview(formatOverview(view))).toEqual(view);
    }
    expect(parseOverview("?from=never&auto=yes")).toEqual(VIEW);
  });

  it("is bare as long as nothing is asked, so that old links stay those of logs", () => {
    expect(overviewAddress(VIEW)).toBe("/");
    expect(overviewAddress({ from: "-1h", to: "now" })).toBe("/overview?from=-1h");
    expect(overviewAddress({ auto: false })).toBe("/overview?auto=0");
    expect(movedTo("/", "")).toBeNull();
    expect(movedTo("/", "?q=x&record=default.1.2")).toBe("/logs?q=x&record=default.1.2");
    expect(movedTo("/", "?from=-2h")).toBe("/logs?from=-2h");
    expect(movedTo("/services", "?q=x")).toBeNull();
    expect(movedTo("/overview", "?from=-2h")).toBeNull();
  });

  it("is a step back for another range, not for a pause", () => {
    expect(isOverviewStep(VIEW, { ...VIEW, from: "-1h" })).toBe(true);
    expect(isOverviewStep(VIEW, { ...VIEW, auto: false })).toBe(false);
  });
});

it("asks again soon while there is nothing, calmly later, and not at all where nothing can change", () => {
  const answer = (services: number) => ({ services: Array(services).fill({}) }) as unknown as OverviewAnswer;
  expect(againAfter(VIEW, undefined, 0)).toBe(2_000);
  expect(againAfter(VIEW, answer(0), 10)).toBe(2_000);
  expect(againAfter(VIEW, answer(1), 10)).toBe(10_000);
  expect(againAfter(VIEW, answer(1), 3_000)).toBe(60_000);
  expect(againAfter({ ...VIEW, auto: false }, answer(1), 10)).toBeNull();
  expect(againAfter({ ...VIEW, to: "2026-11-20T10:00:00Z" }, answer(1), 10)).toBeNull();
});

it("keeps the order that there was, with what is new behind it", () => {
  const answer = (services: string[], changes: [string, string | null][]) =>
    ({ services: services.map((service) => ({ service })), changes: changes.map(([kind, service]) => ({ kind, service })) }) as unknown as OverviewAnswer;
  const shown = steady(answer(["a", "b", "c"], [["errors", "a"], ["new", "b"]]), answer(["x", "c", "a", "y"], [["silent", null], ["new", "b"], ["errors", "a"], ["new", "a"]]));
  expect(shown.services.map(({ service }) => service)).toEqual(["a", "c", "x", "y"]);
  expect(shown.changes.map(({ kind, service }) => [kind, service])).toEqual([["errors", "a"], ["new", "b"], ["silent", null], ["new", "a"]]);
});

describe("the little chart", () => {
  it("has a bar for what there is, as high as it is much", () => {
    expect(bars([0, 50, 100, 0], [0, 0, 25, 0])).toEqual([
      { x: 0.25, width: 0.25, height: 0.5, errors: 0 }, { x: 0.5, width: 0.25, height: 1, errors: 0.25 },
    ]);
    expect(bars([], [])).toEqual([]);
    expect(bars([0, 0], [0, 0])).toEqual([]);
  });

  it("lets little be seen, and few errors among much", () => {
    const [small, tall] = bars([1, 10_000], [1, 1]);
    expect(small).toMatchObject({ height: 0.06, errors: 0.06 });
    expect(tall).toMatchObject({ height: 1, errors: 0.06 });
  });
});

it("a share of nothing is none", () => {
  expect(ratio(0, 0)).toBe(0);
  expect(ratio(1, 4)).toBe(0.25);
});

describe("changes", () => {
  const make = (kind: string, more: object, service: string | null = "pay & go"): Change => ({ kind, service, counted: "requests", ...more }) as unknown as Change;
  const errors = make("errors", { before: { errors: 0, of: 10 }, now: { errors: 5, of: 10 } });
  const slower = make("latency", { percentile: 95, before_ms: 99.2, now_ms: 300 });
  const silent = make("silent", { since_ns: "1795172000000000000", seconds: 400, expected: 20 });
  const fresh = make("new", { since_ns: "1795172000000000000", count: 20 });
  const volume = make("volume", { before_rate: 1, now_rate: 4 });

  it("are those that there are words for", () => {
    expect(known([errors, make("tide", {}), fresh])).toEqual([errors, fresh]);
  });

  it("are red where requests fail, and amber where they wait or nothing comes", () => {
    expect([errors, slower, silent, make("latency", { percentile: 50, before_ms: 300, now_ms: 99 }), fresh, volume].map(mood)).toEqual(["bad", "warn", "warn", "note", "note", "note"]);
  });

  it("lead to what shows them", () => {
    const search = (to: string) => Object.fromEntries(new URL(to, "http://x").searchParams);
    const ways = (change: Change) => waysOf(change, RANGE, ANSWER);
    expect(ways(errors).map(({ target }) => target)).toEqual(["logs", "traces", "map"]);
    expect(search(ways(errors)[0]!.to)).toEqual({ q: 'service.name:"pay & go" and (severity:error or severity:fatal)', from: "-1h" });
    expect(search(ways(errors)[1]!.to)).toEqual({ service: "pay & go", errors: "1", from: "-1h" });
    expect(waysOf({ ...errors, counted: "records" }, RANGE, ANSWER).map(({ target }) => target)).toEqual(["logs", "map"]);
    expect(search(ways(slower)[0]!.to)).toEqual({ service: "pay & go", least: "100ms", from: "-1h" });
    expect(search(ways(volume)[0]!.to)).toEqual({ q: 'service.name:"pay & go"', from: "-1h" });
    const saying = (errors: number) => make("pattern", { id: null, template: "a <num> & b", since_ns: "1795172000000000000", count: { errors, of: 9 } });
    expect(search(ways(saying(0))[0]!.to)).toEqual({ template: "a <num> & b", from: "-1h" });
    expect([saying(0), saying(2)].map(mood)).toEqual(["note", "bad"]);
    expect(search(ways(fresh)[1]!.to)).toEqual({ show: "map", service: "pay & go", from: "-1h" });
    // What there was until it fell silent, and a little of the silence.
    expect(search(ways(silent)[0]!.to)).toEqual({ q: 'service.name:"pay & go"', from: "2026-11-20T10:23:20Z", to: "2026-11-20T10:55:20Z" });
    const all = ways(make("silent", { since_ns: "1795172000000000000", seconds: 400, expected: 20 }, null));
    expect(all.map(({ target, to }) => [target, search(to).q])).toEqual([["logs", undefined]]);
  });
});

it("a service leads to its logs, traces and place on the map", () => {
  expect(waysOfService({ service: "pay" }, RANGE).map(({ to }) => to)).toEqual(["/logs?q=service.name%3Apay&from=-1h", "/traces?from=-1h&service=pay", "/services?from=-1h&show=map&service=pay"]);
});

it("the newest error leads to its record, or its span", () => {
  const error = { time_ns: "1", kind: "record" as const, id: "default.1.2", text: "x", trace_id: "ab", span_id: "cd" };
  expect(errorAddress("pay", error, RANGE)).toBe("/logs?q=service.name%3Apay+and+%28severity%3Aerror+or+severity%3Afatal%29&from=-1h&record=default.1.2");
  expect(errorAddress("pay", { ...error, kind: "span" }, RANGE)).toBe("/traces/ab?span=cd");
  expect(errorAddress("pay", { ...error, kind: "span", trace_id: null }, RANGE)).toContain("record=default.1.2");
});
