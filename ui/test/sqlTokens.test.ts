import { expect, it } from "vitest";
import { MOST_TOKENISED, tokens, type TokenKind } from "../src/lib/sqlTokens";

const seen = (sql: string) => tokens(sql).filter(({ kind }) => kind !== "space").map(({ kind, start, end }): [TokenKind, string] => [kind, sql.slice(start, end)]);

it("tells words, names, strings, numbers and comments apart", () => {
  expect(seen(`SELECT "a""b", 'it''s', 1.5e3 -- from\nFROM logs /* x */`)).toEqual([
    ["keyword", "SELECT"], ["name", `"a""b"`], ["sign", ","], ["string", "'it''s'"], ["sign", ","], ["number", "1.5e3"],
    ["comment", "-- from"], ["keyword", "FROM"], ["word", "logs"], ["comment", "/* x */"],
  ]);
});

it.each([["'from logs", "string"], ['"service.na', "name"], ["/* from\nlogs", "comment"]])("%s goes on to the end", (sql, kind) => {
  expect(seen(sql)).toEqual([[kind, sql]]);
});

it("leaves nothing out, whatever is written", () => {
  const sql = "select\t'é😀' , größe1 \u202e;\r\n\"x\" - -1 */ '";
  expect(tokens(sql).map(({ start, end }) => sql.slice(start, end)).join("")).toBe(sql);
});

it("has none for a statement that is too long", () => {
  expect(tokens("1".repeat(MOST_TOKENISED))).toHaveLength(1);
  expect(tokens("1".repeat(MOST_TOKENISED + 1))).toEqual([]);
});
