/** Questions in SQL: what the address says of one, and what becomes of its answer on screen and in a file. Nothing here draws. */
import type { Json, SqlAnswer } from "../api/types";
import { plainText } from "./format";
import { toRfc3339, type Range } from "./time";
import { askedParams, parseRange, searchText } from "./url";

export interface SqlView extends Range {
  sql: string;
}

export function parseSql(search: string): SqlView {
  const params = new URLSearchParams(search);
  return { ...parseRange(params), sql: params.get("sql") ?? "" };
}

export function formatSql({ sql, from, to }: SqlView): string {
  const params = askedParams({ q: "", from, to });
  if (sql) params.set("sql", sql);
  return searchText(params);
}

export function isSqlStep(before: SqlView, after: SqlView): boolean {
  return before.sql !== after.sql;
}

/** The range as a condition, with the same bounds whenever it is asked again. */
export function rangeCondition(fromNs: bigint, toNs: bigint): string {
  return `time >= '${toRfc3339(fromNs)}' and time < '${toRfc3339(toNs)}'`;
}

export interface Place {
  line: number;
  column: number;
  before: string;
  at: string;
  after: string;
}

/** The line in which a character is that the server means, cut at the word there. Characters are Unicode's, as the server counts. */
export function placeOf(sql: string, position: number): Place {
  const characters = [...sql];
  const until = characters.slice(0, position).join("");
  const before = until.slice(until.lastIndexOf("\n") + 1);
  const rest = characters.slice(position).join("").split("\n", 1)[0] ?? "";
  const at = /^(?:"[^"]*"?|'[^']*'?|[\p{L}\p{N}_.]+|.?)/u.exec(rest)?.[0] ?? "";
  return { line: until.split("\n").length, column: [...before].length + 1, before, at, after: rest.slice(at.length) };
}

export interface Sorting {
  column: number;
  isDown: boolean;
}

/** Rows by one column; those without a value come last, whichever way. */
export function sortedRows(rows: SqlAnswer["rows"], sorting: Sorting | null): SqlAnswer["rows"] {
  if (sorting === null) return rows;
  const { column, isDown } = sorting;
  return [...rows].sort((a, b) => {
    const [one, other] = [a[column] ?? null, b[column] ?? null];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return (isDown ? -1 : 1) * compared(one, other);
  });
}

function compared(one: Json, other: Json): number {
  const [a, b] = isComparable(one) && isComparable(other) && typeof one === "string" === (typeof other === "string") ? [one, other] : [plainText(one), plainText(other)];
  return a < b ? -1 : Number(a > b);
}

function isComparable(value: Json): value is string | number | bigint {
  return ["string", "number", "bigint"].includes(typeof value);
}

/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

function csvCell(value: Json): string {
  if (value === null) return "";
  const text = plainText(value);
  const isNumber = typeof value === "number" || typeof value === "bigint";
  const inert = !isNumber && FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

/** The rows as a file of RFC 4180 whose texts no spreadsheet runs. */
export function csvOf(columns: SqlAnswer["columns"], rows: SqlAnswer["rows"]): string {
  return [columns.map(({ name }) => name), ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}
