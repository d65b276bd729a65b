/** What may be written where the caret of a statement of SQL is. */
import { tokens } from "./sqlTokens";

export interface SqlCaret {
  /** Tables follow `from` and `join`. One after a comma (`from a, b`) is not told from a column. */
  kind: "table" | "expression";
  prefix: string;
  start: number;
  end: number;
}

/** Nothing in a string, a comment or a number, and nothing where the statement is too long to be read at each key. */
export function sqlCaret(sql: string, caret: number): SqlCaret | null {
  const before = tokens(sql.slice(0, caret));
  const last = before.at(-1);
  if (last === undefined || last.kind === "string" || last.kind === "comment" || last.kind === "number") return null;
  const isWord = last.kind === "word" || last.kind === "keyword" || (last.kind === "name" && !/^"(?:[^"]|"")*"$/.test(sql.slice(last.start, caret)));
  const start = isWord ? last.start : caret;
  const earlier = before.filter(({ kind, end }) => kind !== "space" && kind !== "comment" && end <= start).at(-1);
  const lead = earlier ? sql.slice(earlier.start, earlier.end).toLowerCase() : "";
  return { kind: lead === "from" || lead === "join" ? "table" : "expression", prefix: sql.slice(start, caret).replace(/^"/, ""), start, end: caret };
}
