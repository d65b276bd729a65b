import { expect, it } from "vitest";
import { sqlCaret } from "../src/lib/sqlCaret";

it.each([
  ["sel", "expression", "sel"], ["select * from ", "table", ""], ["select * FROM /* of */ lo", "table", "lo"],
  ["select * from a join sp", "table", "sp"], ['select "service.na', "expression", "service.na"], ["select * from logs where ti", "expression", "ti"],
  ['select "done"', "expression", ""],
])("%s is followed by a %s that begins with %s", (sql, kind, prefix) => {
  const end = sql.length;
  const start = sql.endsWith(`"${prefix}`) && prefix !== "" ? end - prefix.length - 1 : end - prefix.length;
  expect(sqlCaret(sql, end)).toEqual({ kind, prefix, start, end });
});

it.each([
  ["select service.na", "service.na", 7, 17], ["select logs.", "logs.", 7, 12], ["select a, logs.ti", "logs.ti", 10, 17], ["select 'x'.y", "y", 11, 12],
])("%s ends with the name %s", (sql, prefix, start, end) => {
  expect(sqlCaret(sql, sql.length)).toEqual({ kind: "expression", prefix, start, end });
});

it("a mark that ends the name already is replaced as well", () => {
  expect(sqlCaret('select "service.na" from logs', 18)).toEqual({ kind: "expression", prefix: "service.na", start: 7, end: 19 });
});

it.each(["", "select 'from lo", "select 1 -- fr", "select 12", `${" ".repeat(20_001)}se`])("offers nothing after %s", (sql) => {
  expect(sqlCaret(sql, sql.length)).toBeNull();
});
