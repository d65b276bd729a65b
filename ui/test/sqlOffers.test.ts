import { expect, it } from "vitest";
import type { SqlAnswer } from "../src/api/types";
import { sqlCaret } from "../src/lib/sqlCaret";
import { quoted, sqlOffers, tablesOf } from "../src/lib/sqlOffers";

const NOTES = { table: "table", function: "function", keyword: "SQL" };
const ROWS = [
  ["logs", "time", 'Timestamp(ns, "UTC")'], ["logs", "severity_number", "UInt8"], ["logs", "service.name", "Utf8"], ["logs", "customer.name", "Utf8"],
  ["logs", "say \"when\"", "Boolean"], ["logs", "Name", "Utf8"], ["spans", "time", 'Timestamp(ns, "UTC")'], ["spans", "duration_ms", "Float64"], ["spans", "name", "Utf8"],
];
const tables = tablesOf({ columns: [], rows: ROWS, truncated: false } as unknown as SqlAnswer);

/** With `|` where the caret is. */
function offered(text: string) {
  const caret = text.indexOf("|");
  const sql = text.replace("|", "");
  const at = sqlCaret(sql, caret);
  return at ? sqlOffers(at, sql, tables, NOTES) : [];
}

const labels = (text: string) => offered(text).map(({ label, note }) => `${label}: ${note}`);

/** With the first that is offered. */
function taken(text: string): string {
  const sql = text.replace("|", "");
  const first = offered(text)[0];
  return first ? `${sql.slice(0, first.start)}${first.insert}|${sql.slice(first.end)}` : "";
}

it("tables stand after from and join", () => {
  expect(labels("select * from |")).toEqual(["logs: table", "spans: table"]);
  expect(labels("select * from sp|")).toEqual(["spans: table"]);
  expect(labels("select * from spans|")).toEqual([]);
});

it("columns come first, of the tables that are named, with their types", () => {
  expect(labels("select dur| from spans")).toEqual(["duration_ms: double"]);
  expect(labels("select dur| from logs")).toEqual([]);
  expect(labels("select tim| from logs")[0]).toBe("time: timestamp");
  expect(labels("select sev|")).toEqual(["severity_number: bigint"]);
  expect(labels("select coun|")).toEqual(["count: function"]);
  expect(labels("select 1 gro|")).toEqual(["group: SQL"]);
  expect(labels("select |")).toEqual([]);
});

it("what begins so comes before what only has it", () => {
  expect(labels("select nam| from logs")).toEqual(["Name: text", "service.name: text", "customer.name: text"]);
  expect(labels("select nam| from spans")[0]).toBe("name: text");
});

it("what is taken is written as SQL names it", () => {
  expect(taken("select serv| from logs")).toBe('select "service.name"| from logs');
  expect(taken("select service.na| from logs")).toBe('select "service.name"| from logs');
  expect(taken('select "service.na|" from logs')).toBe('select "service.name"| from logs');
  expect(taken("select logs.serv| from logs")).toBe('select logs."service.name"| from logs');
  expect(taken("select spans.| from spans")).toBe("select spans.time| from spans");
  expect(taken("select say| from logs")).toBe('select "say ""when"""| from logs');
  expect(taken("select dura| from spans")).toBe("select duration_ms| from spans");
  expect(taken("select approx_d|")).toBe("select approx_distinct(|");
  expect(taken("select * from logs wher|")).toBe("select * from logs where |");
});

it.each([["time", "time"], ["group", '"group"'], ["Name", '"Name"'], ["1st", '"1st"'], ["a.b", '"a.b"']])("%s is named %s", (name, text) => {
  expect(quoted(name)).toBe(text);
});
