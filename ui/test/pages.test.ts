import { describe, expect, it } from "vitest";
import { rowsOf, storedPage, type Rows } from "../src/lib/pages";

const text = (from: number, count: number) => {
  const records = Array.from({ length: count }, (_, i) => `{"id":"d.1.${from + i}","time_ns":"${from + i}","attributes":[["n",${from + i}]]}`);
  return `{"records":[${records.join(",")}],"next":null,"partial":null,"stats":{}}`;
};
const ids = (rows: Rows) => Array.from({ length: rows.length }, (_, i) => rows.at(i)?.id);
const named = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `d.1.${from + i}`);

describe("pages of a list", () => {
  it("are one list, whatever their sizes", () => {
    const rows = rowsOf([storedPage(text(0, 3)), storedPage(text(3, 0)), storedPage(text(3, 1)), storedPage(text(4, 6))]);
    expect(ids(rows)).toEqual(named(0, 10));
    expect(Array.from({ length: 10 }, (_, i) => rows.idAt(i))).toEqual(named(0, 10));
    expect([rows.at(-1), rows.at(10), rows.idAt(10), rowsOf([]).at(0), rowsOf([]).length]).toEqual([undefined, undefined, undefined, undefined, 0]);
  });
  it("are read again where nobody has looked for long", () => {
    const pages = Array.from({ length: 100 }, (_, i) => storedPage(text(i * 10, 10)));
    const rows = rowsOf(pages);
    const first = rows.at(0);
    expect(rows.at(1)).toBe(rowsOf(pages.slice(0, 2)).at(1));
    expect(ids(rows)).toEqual(named(0, 1000));
    expect(rows.at(0)).not.toBe(first);
    expect(rows.at(0)).toEqual(first);
    expect(rows.at(999)).toBe(rows.at(999));
  });
  it("have the records that the text has, whatever is in them", () => {
    const records = [
      { id: "a", body: 'quoted "records":[{"id":"no"}] \\', attributes: [["id", "b"], ["\\\"", { id: "c", records: [[], {}] }]] },
      { attributes: [], body: "\\\\", trace_id: "id", id: "d" },
      { id: "e", body: null, resource: [["records", [{ id: "f" }]], ["}]", "{["]] },
    ];
    const rest = { next: "x", partial: { reason: '"records":[', missing: "]}" }, stats: { records: [{ id: "g" }] } };
    for (const whole of [{ records, ...rest }, { ...rest, records }]) {
      const page = storedPage(JSON.stringify(whole));
      const rows = rowsOf([page]);
      expect(records.map((_, i) => rows.at(i))).toEqual(records);
      expect(records.map((_, i) => rows.idAt(i))).toEqual(["a", "d", "e"]);
      expect([rows.length, page.next, page.partial, page.stats]).toEqual([3, rest.next, rest.partial, rest.stats]);
    }
  });
  it("are refused when they end too early", () => {
    const whole = text(0, 2);
    for (let end = 0; end < whole.length; end++) expect(() => storedPage(whole.slice(0, end))).toThrow(SyntaxError);
  });
});
