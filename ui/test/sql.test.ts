import { describe, expect, it } from "vitest";
import type { Json } from "../src/api/types";
import { csvOf, formatSql, isSqlStep, parseSql, placeOf, rangeCondition, sortedRows } from "../src/lib/sql";
import { chartOf, linePath } from "../src/lib/sqlChart";
import { MOST_STATEMENTS, forget, history, remember } from "../src/lib/sqlHistory";

it("is in the address as it was written", () => {
  const view = { sql: "select 1 as \"a&b\"\n-- 100 %", from: "-1h", to: "now" };
  expect(parseSql(formatSql(view))).toEqual(view);
  expect(isSqlStep(view, { ...view, sql: "select 2" })).toBe(true);
  expect(isSqlStep(view, { ...view, from: "-2h" })).toBe(false);
});

it("has the range as a condition with fixed bounds", () => {
  expect(rangeCondition(0n, 1_500_000_000n)).toMatch(/^time >= '1970-01-01T00:00:00[.0]*Z' and time < '1970-01-01T00:00:01\.5[0]*Z'$/);
});

describe("the place of an error", () => {
  const check = (sql: string, position: number, line: number, column: number, at: string) =>
    it(sql, () => expect(placeOf(sql, position)).toMatchObject({ line, column, at }));
  check("selec 1", 0, 1, 1, "selec");
  check("select\n  \"no such\" from logs", 9, 2, 3, "\"no such\"");
  check("select '😀', nope from logs", 12, 1, 13, "nope");
  check("select (", 8, 1, 9, "");
});

describe("rows in order", () => {
  const check = (name: string, values: Json[], isDown: boolean, expected: Json[]) =>
    it(name, () => expect(sortedRows(values.map((value) => [value]), { column: 0, isDown }).flat()).toEqual(expected));
  check("of numbers with all digits", [9007199254740993n, 2, 9007199254740992n], false, [2, 9007199254740992n, 9007199254740993n]);
  check("of texts, those without a value last", ["b", null, "a"], true, ["b", "a", null]);
  check("of truths", [true, false], false, [false, true]);
  it("as they came", () => expect(sortedRows([["b"], ["a"]], null)).toEqual([["b"], ["a"]]));
});

it("is a file that no spreadsheet runs", () => {
  const rows: Json[][] = [["=1+1", -5], ["a \"b\",\nc", 9007199254740993n], [null, "-x"], ["@x", true]];
  expect(csvOf([{ name: "+a", type: "string" }, { name: "b", type: "integer" }], rows)).toBe(
    "'+a,b\r\n'=1+1,-5\r\n\"a \"\"b\"\",\nc\",9007199254740993\r\n,'-x\r\n'@x,true\r\n",
  );
});

describe("what was run before", () => {
  const storage = () => {
    const kept = new Map<string, string>();
    return { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, text: string) => void kept.set(key, text), removeItem: (key: string) => void kept.delete(key) };
  };
  it("is kept once, the latest first, and can be forgotten", () => {
    const own = storage();
    ["a", "b", "a"].forEach((sql) => remember(own, sql));
    expect(history(own)).toEqual(["a", "b"]);
    forget(own);
    expect(history(own)).toEqual([]);
  });
  it("is bounded", () => {
    const own = storage();
    for (let i = 0; i <= MOST_STATEMENTS; i++) remember(own, `select ${i}`);
    remember(own, "x".repeat(10_000));
    expect([history(own).length, history(own)[0]]).toEqual([MOST_STATEMENTS, `select ${MOST_STATEMENTS}`]);
  });
  it("is nothing where something else was written, or nothing may be", () => {
    const broken = { ...storage(), getItem: () => "{\"x\":", setItem: () => { throw new Error("full"); } };
    expect([history(broken), remember(broken, "a")]).toEqual([[], ["a"]]);
  });
});

describe("what is drawn", () => {
  const columns = (...types: string[]) => types.map((type, i) => ({ name: `c${i}`, type }));
  const at = (second: number) => `1970-01-01T00:00:0${second}.000000000Z`;
  it("is a line over time, oldest first", () => {
    const chart = chartOf({ columns: columns("timestamp", "integer"), rows: [[at(2), 4], [at(0), 0], [at(1), 9007199254740993n], [at(3), null]] });
    expect(chart).toMatchObject({ kind: "line", least: 0, points: [{ ns: 0n }, { ns: 1_000_000_000n }, { ns: 2_000_000_000n, value: 4 }] });
  });
  it("goes from edge to edge", () => {
    const chart = chartOf({ columns: columns("timestamp", "double"), rows: [[at(0), 0], [at(1), 10], [at(2), 5]] });
    expect(chart?.kind === "line" && linePath(chart, 100, 20)).toBe("M0.0 20.0L50.0 0.0L100.0 10.0");
  });
  it("is bars, the largest first, and says how many are left", () => {
    const rows = Array.from({ length: 25 }, (_, i): Json[] => [`s${i}`, i]);
    expect(chartOf({ columns: columns("string", "integer"), rows })).toMatchObject({ kind: "bars", more: 5, most: 24, bars: [{ name: "s24", value: 24 }, { name: "s23" }, ...Array(18).fill({})] });
  });
  const nothing = (name: string, types: string[], rows: Json[][]) => it(name, () => expect(chartOf({ columns: columns(...types), rows })).toBeNull());
  nothing("is nothing without a number", ["timestamp", "string"], [[at(0), "a"], [at(1), "b"]]);
  nothing("is nothing where a time is there twice", ["timestamp", "integer"], [[at(0), 1], [at(0), 2]]);
  nothing("is nothing where a name is there twice", ["string", "integer"], [["a", 1], ["a", 2]]);
  nothing("is nothing of one row", ["string", "integer"], [["a", 1]]);
});
