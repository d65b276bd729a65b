import { describe, expect, it, vi } from "vitest";
import { MAX_COLUMNS } from "../src/lib/columns";
import { PATHS, VIEWS, formatView, isStep, parseView, pathByKey, tailWanted, viewAddress, type View } from "../src/lib/url";

const view = (patch: Partial<View> = {}): View => ({ ...parseView(""), ...patch });

describe("the view goes through the URL and back", () => {
  const check = (name: string, patch: Partial<View>) =>
    it(name, () => expect(parseView(formatView(view(patch)))).toEqual(view(patch)));
  check("default", {});
  check("query", { q: 'service.name:"a & b" and x>=1 #?%+ 😀' });
  check("range", { from: "2026-11-20T10:00:00Z", to: "2026-11-20T10:05:00.123456789Z" });
  check("relative range", { from: "-7d" });
  check("order", { order: "asc" });
  check("template by id", { template: "9f1c03d27ab54e60" });
  check("template by text", { template: 'order <num> & <*> +1 100% "paid" \\<num> = #? \u202e\u0007 😀 <...>' });
  check("columns", { columns: ["url.path", "a,b", "x y"] });
  check("widths of columns", { columns: ["a:b", "x y"], widths: { "a:b": 120, service: 240 } });
  check("field that counts are by", { by: "k8s.pod.name & x" });
  check("record", { record: "default.17.42" });
  check("tail off", { tail: false });
  check("all", { q: "x", from: "-1h", order: "asc", columns: ["c"], record: "r", tail: false });
});

it("a fresh page has a clean address", () => expect(formatView(view())).toBe(""));

it("nonsense falls back to what is safe", () => {
  const parsed = parseView("?from=never&to=%3Cscript%3E&order=sideways&col=&col=a&col=a&tail=maybe");
  expect(parsed).toEqual(view({ columns: ["a"] }));
  expect(parseView(`?${"col=x".repeat(1)}&${Array.from({ length: 50 }, (_, i) => `col=${i}`).join("&")}`).columns).toHaveLength(MAX_COLUMNS);
});

it("the tail wants a live range, newest first", () => {
  expect(tailWanted(view())).toBe(true);
  for (const patch of [{ tail: false }, { order: "asc" as const }, { to: "-5m" }, { from: "2026-11-20T10:00:00Z" }, { template: "server started" }]) {
    expect(tailWanted(view(patch))).toBe(false);
  }
});

it("back undoes a search, a zoom and an opened record, not a column", () => {
  expect(isStep(view(), view({ q: "x" }))).toBe(true);
  expect(isStep(view(), view({ from: "-1h" }))).toBe(true);
  expect(isStep(view(), view({ template: "server started" }))).toBe(true);
  expect(isStep(view(), view({ record: "r" }))).toBe(true);
  expect(isStep(view({ record: "a" }), view({ record: "b" }))).toBe(false);
  expect(isStep(view(), view({ columns: ["x"] }))).toBe(false);
  expect(isStep(view(), view({ tail: false }))).toBe(false);
});

it("each view has a key of its own", () => {
  expect(pathByKey("1")).toBe("/");
  expect(pathByKey("6")).toBe("/patterns");
  expect(pathByKey("9")).toBeUndefined();
  expect(new Set(PATHS.map((path) => VIEWS[path])).size).toBe(PATHS.length);
});

describe("another view", () => {
  const check = (name: string, from: string, to: Parameters<typeof viewAddress>[0], expected: string) =>
    it(name, () => {
      vi.stubGlobal("window", { location: new URL(from, "http://localhost") });
      expect(viewAddress(to)).toBe(expected);
      vi.unstubAllGlobals();
    });
  check("keeps range and search where the search means the same", "/logs?q=a%20%26%20b&from=-1h&record=x.1.2&template=t", "/patterns", "/patterns?q=a+%26+b&from=-1h");
  check("and back", "/patterns?q=level%3Aerror&from=-1h&open=x&show=new", "/logs", "/logs?q=level%3Aerror&from=-1h");
  check("keeps the range alone elsewhere", "/patterns?q=x&from=-1h", "/traces", "/traces?from=-1h");
  check("and from elsewhere", "/services?q=x&from=-1h", "/patterns", "/patterns?from=-1h");
});
