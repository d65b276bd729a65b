import { describe, expect, it } from "vitest";
import { LEAST_PX, MAX_COLUMNS, MOST_PX, dropPlace, leastWidth, moved, parseWidths, template, toggled, widthOf, widthText, withWidth } from "../src/lib/columns";

describe("a column that is added or removed", () => {
  it("comes last, and takes its width with it when it goes", () => {
    expect(toggled({ columns: ["a"], widths: { service: 200 } }, "b")).toEqual({ columns: ["a", "b"], widths: { service: 200 } });
    expect(toggled({ columns: ["a", "b"], widths: { a: 99, b: 88, service: 200 } }, "a")).toEqual({ columns: ["b"], widths: { b: 88, service: 200 } });
  });
  it("is not added where there are as many as there may be", () => {
    const columns = Array.from({ length: MAX_COLUMNS }, (_, i) => `c${i}`);
    expect(toggled({ columns, widths: {} }, "one more").columns).toEqual(columns);
    expect(toggled({ columns, widths: {} }, "c0").columns).toHaveLength(MAX_COLUMNS - 1);
  });
});

describe("a column that is moved", () => {
  const check = (name: string, to: number, expected: string) => it(`${name} to ${to}`, () => expect(moved(["a", "b", "c"], name, to).join("")).toBe(expected));
  check("a", 2, "bca");
  check("c", 0, "cab");
  check("b", 1, "abc");
  check("a", -1, "abc");
  check("a", 9, "bca");
  check("x", 0, "abc");
});

it("is dropped before the column whose middle lies right of the pointer", () => {
  const edges = [[0, 100], [110, 210], [220, 320]] as const;
  expect([10, 60, 150, 170, 400].map((x) => dropPlace(edges, x))).toEqual([0, 1, 1, 2, 3]);
});

describe("widths", () => {
  it("go through the address, whatever the column is called", () => {
    for (const name of ["a:b", "12:x", "x\ny", "constructor"]) expect(parseWidths([widthText(name, 120)], [name])).toEqual({ [name]: 120 });
  });
  it("are within bounds, and of columns that are there", () => {
    expect(parseWidths(["1:a", "9999:b", "x:c", ":c", "100:", "100:gone", "77777:c"], ["a", "b", "c"])).toEqual({ a: LEAST_PX, b: MOST_PX });
  });
  it("are forgotten when the usual one is asked for", () => {
    expect(withWidth({ a: 100, b: 90 }, "a", null)).toEqual({ b: 90 });
    expect(withWidth({}, "a", 100.4)).toEqual({ a: 100 });
  });
  it("are nothing that an object has by itself", () => {
    expect(template({ columns: ["constructor"], widths: {} })).toContain("minmax(110px, 180px)");
    expect(widthOf({}, "toString")).toBe(180);
    expect(leastWidth({ columns: ["constructor"], widths: {} })).toBe(leastWidth({ columns: [], widths: {} }) + 122);
  });
});
