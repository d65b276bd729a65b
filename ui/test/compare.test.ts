import { describe, expect, it } from "vitest";
import type { CompareAnswer } from "../src/api/types";
import { clauseOf, compareAddress, directionOf, formatCompare, hasRest, otherAddress, parseCompare, percent, shareOf, type CompareView } from "../src/lib/compare";

const view = (patch: Partial<CompareView> = {}): CompareView => ({ ...parseCompare(""), ...patch });
const answer = { other_from_ns: "1000000000", other_to_ns: "2000000000", total: 100, other_total: 400 } as CompareAnswer;

describe("a comparison goes through the address and back", () => {
  const check = (name: string, patch: Partial<CompareView>) => it(name, () => expect(parseCompare(formatCompare(view(patch)))).toEqual(view(patch)));
  check("default", {});
  check("with the rest", { q: "level:error", with: "rest" });
  check("of a template", { template: "order <num> & <*>", from: "-1h" });
});

it("is against the time before, whatever else an address says", () => {
  expect(parseCompare("?with=nothing").with).toBe("before");
  expect(compareAddress({ q: "", from: "-15m", to: "now" })).toBe("/compare");
});

it("has a rest where something is searched for", () => {
  expect([hasRest(view()), hasRest(view({ q: "  " })), hasRest(view({ q: "x" })), hasRest(view({ template: "x" }))]).toEqual([false, false, true, true]);
});

describe("shares", () => {
  const check = (share: number, expected: string) => it(expected, () => expect(percent(share)).toBe(expected));
  check(0, "0 %");
  check(0.0001, "< 0.1 %");
  check(0.034, "3.4 %");
  check(0.5, "50 %");
  check(0.996, "99 %");
  check(0.9995, "> 99.9 %");
  check(1, "100 %");
  it("of nothing are none", () => expect(shareOf(0, 0)).toBe(0));
  it("say which side has more", () => {
    expect(directionOf({ count: 50, other: 100 }, answer)).toBe("more");
    expect(directionOf({ count: 50, other: 300 }, answer)).toBe("less");
  });
});

it("selects the records of a value, and those without the field", () => {
  expect(clauseOf({ field: "a b" }, { value: "x y" })).toBe('"a b":"x y"');
  expect(clauseOf({ field: "error.type" }, { value: null })).toBe("not error.type:*");
  expect(clauseOf({ field: "a" }, { value: "" })).toBeNull();
});

it("leads to the other records", () => {
  expect(otherAddress(view({ q: "a:1 or b:2", with: "rest" }), answer)).toBe(`/logs?${new URLSearchParams({ q: "not (a:1 or b:2)" })}`);
  expect(otherAddress(view({ template: "x", with: "rest" }), answer)).toBeNull();
  expect(otherAddress(view({ q: "x" }), answer)).toContain("from=1970-01-01T00%3A00%3A01");
});
