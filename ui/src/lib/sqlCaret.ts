/** What may be written where the caret of a statement of SQL is. */
import { tokens, type Token } from "./sqlTokens";

export interface SqlCaret {
  /** Tables follow `from` and `join`. One after a comma (`from a, b`) is not told from a column. */
  kind: "table" | "expression";
  /** What is written of the name, its quotation mark left out; names that are joined by dots are one, as those of attributes are. */
  prefix: string;
  start: number;
  end: number;
}

const isOpenName = (text: string) => !/^"(?:[^"]|"")*"$/.test(text);

/** Nothing in a string, a comment or a number, and nothing where the statement is too long to be read at each key. */
export function sqlCaret(sql: string, caret: number): SqlCaret | null {
  const before = tokens(sql.slice(0, caret));
  const last = before.at(-1);
  if (last === undefined || last.kind === "string" || last.kind === "comment" || last.kind === "number") return null;
  const isOpen = last.kind === "name" && isOpenName(sql.slice(last.start, caret));
  const start = isOpen ? last.start : chainStart(sql, before, caret);
  const earlier = before.filter(({ kind, end }) => kind !== "space" && kind !== "comment" && end <= start).at(-1);
  const lead = earlier ? sql.slice(earlier.start, earlier.end).toLowerCase() : "";
  // The mark that ends the name may be there already.
  const end = isOpen && sql[caret] === '"' ? caret + 1 : caret;
  return { kind: lead === "from" || lead === "join" ? "table" : "expression", prefix: sql.slice(start, caret).replace(/^"/, ""), start, end };
}

/** Where the words begin that dots join and that end at the caret; the caret if none do. */
function chainStart(sql: string, before: Token[], caret: number): number {
  const isWord = (token: Token | undefined) => token?.kind === "word" || token?.kind === "keyword";
  const isDot = (token: Token | undefined) => token !== undefined && sql.slice(token.start, token.end) === ".";
  let at = before.length - 1;
  let start = caret;
  if (isWord(before[at])) start = before[at--]!.start;
  while (isDot(before[at]) && isWord(before[at - 1])) {
    start = before[at - 1]!.start;
    at -= 2;
  }
  return start;
}
