import { describe, expect, it } from "vitest";
import { SEVERITIES, type HistogramAnswer } from "../src/api/types";
import { MOST_GROUPS, clauseOf, partsOf } from "../src/lib/groups";
import { clauses } from "../src/lib/query";

const buckets = [{ start_ns: "0", total: 3, severity: { info: 2, error: 1 } }, { start_ns: "1", total: 4, severity: { info: 4 } }];
const plain: HistogramAnswer = { from_ns: "0", to_ns: "2", bucket_ns: "1", total: 7, buckets };
const by = {
  field: "service.name", many: false, other: { count: 0, counts: [0, 0] }, missing: { count: 2, counts: [1, 1] },
  groups: [{ value: "web", count: 3, counts: [2, 1] }, { value: 'a "b" and c', count: 1, counts: [0, 1] }, { value: "", count: 1, counts: [0, 1] }],
};

describe("bars", () => {
  it("are of severities as long as nothing else is asked", () => {
    const parts = partsOf(plain);
    expect(parts.map((part) => part.key)).toEqual([...SEVERITIES]);
    expect(parts.find((part) => part.key === "info")).toMatchObject({ counts: [2, 4], count: 6, colour: "info" });
  });
  it("are of values, then of those without one, and of nothing that is not there", () => {
    const parts = partsOf({ ...plain, by });
    expect(parts.map((part) => [part.kind, part.value, part.count])).toEqual([["value", "web", 3], ["value", 'a "b" and c', 1], ["value", "", 1], ["missing", "", 2]]);
    const of = (at: number) => parts.reduce((all, part) => all + part.counts[at]!, 0);
    expect([of(0), of(1)]).toEqual([3, 4]);
  });
  it("have a colour each", () => {
    const groups = Array.from({ length: MOST_GROUPS }, (_, at) => ({ value: `${at}`, count: 1, counts: [1, 0] }));
    const colours = partsOf({ ...plain, by: { ...by, groups, other: { count: 1, counts: [1, 0] } } }).map((part) => part.colour);
    expect(new Set(colours).size).toBe(MOST_GROUPS + 2);
  });
});

it("a part is one clause, which selects what it counts", () => {
  const parts = partsOf({ ...plain, by: { ...by, other: { count: 1, counts: [1, 0] } } });
  const told = parts.map((part) => clauseOf("x y", part));
  expect(told).toEqual(['"x y":web', '"x y":"a \\"b\\" and c"', null, null, 'not "x y":*']);
  for (const clause of told) if (clause) expect(clauses(clause)).toEqual([clause]);
});
