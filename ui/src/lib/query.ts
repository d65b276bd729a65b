/**
 * The console's own knowledge of the query language, kept as small as possible: the server alone parses and judges a
 * query. Here are only the places where the console writes a piece of one (a click on a value), takes one apart (which
 * clause excludes everything?) and finds what the caret stands in (completion).
 */
import type { Json } from "../api/types";

export type TokenKind = "word" | "quoted" | "op" | "open" | "close" | "space";

export interface Token {
  kind: TokenKind;
  text: string;
  start: number;
  end: number;
}

const OPERATOR = /^(>=|<=|:|>|<|=)/;
/** A regular expression: from slash to slash, as a whole term or value. */
const REGEX = /^\/(?:\\.|[^\\/])+\/(?=[\s)]|$)/;

/** Splits a query without ever failing: an unfinished quote simply runs to the end. */
export function tokenize(q: string): Token[] {
  const tokens: Token[] = [];
  let ranges = 0;
  let at = 0;
  while (at < q.length) {
    const start = at;
    const kind = kindAt(q, at, tokens[tokens.length - 1]?.kind, ranges > 0);
    at = endOf(q, at, kind, ranges > 0);
    if (kind === "open" && q[start] !== "(") ranges++;
    if (kind === "close" && q[start] !== ")") ranges--;
    tokens.push({ kind, text: q.slice(start, at), start, end: at });
  }
  return tokens;
}

function endOf(q: string, at: number, kind: TokenKind, inRange: boolean): number {
  const rest = q.slice(at);
  switch (kind) {
    case "space":
      return at + /^\s+/.exec(rest)![0].length;
    case "quoted":
      return q[at] === '"' ? quoteEnd(q, at) : at + REGEX.exec(rest)![0].length;
    case "op":
      return at + OPERATOR.exec(rest)![0].length;
    case "word":
      return wordEnd(q, at, inRange);
    default:
      return at + 1;
  }
}

function kindAt(q: string, at: number, before: TokenKind | undefined, inRange: boolean): TokenKind {
  const char = q[at]!;
  if (/\s/.test(char)) return "space";
  if (char === '"') return "quoted";
  if (char === "(" || ((char === "[" || char === "{") && before === "op")) return "open";
  if (char === ")" || ((char === "]" || char === "}") && inRange)) return "close";
  if (char === "/" && before !== "word" && REGEX.test(q.slice(at))) return "quoted";
  return OPERATOR.test(q.slice(at, at + 2)) ? "op" : "word";
}

function quoteEnd(q: string, at: number): number {
  for (let i = at + 1; i < q.length; i++) {
    if (q[i] === "\\") i++;
    else if (q[i] === '"') return i + 1;
  }
  return q.length;
}

/** At least one character, so that a stray bracket is a word of its own. */
function wordEnd(q: string, at: number, inRange: boolean): number {
  const ends = inRange ? /[\s"():<>=\]}]/ : /[\s"():<>=]/;
  let i = at;
  do i += q[i] === "\\" ? 2 : 1;
  while (i < q.length && !ends.test(q[i]!));
  return Math.min(i, q.length);
}

const SIGNS: { [word: string]: string } = { and: "&&", or: "||" };

function isKeyword(token: Token, word: string): boolean {
  return token.kind === "word" && (token.text.toLowerCase() === word || token.text === SIGNS[word]);
}

/** `-` and `!` before a parenthesis or a quote are `not`. */
function isSign(token: Token): boolean {
  return token.kind === "word" && /^[-!]$/.test(token.text);
}

/**
 * The parts joined by `and` (written or implied) at the top level; one part where an `or` at the top level makes them
 * inseparable. A `not` stays with what it negates.
 */
export function clauses(q: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = -1;
  let end = -1;
  let glue = false;
  const push = () => {
    if (start >= 0) parts.push(q.slice(start, end));
    start = -1;
  };
  for (const token of tokenize(q)) {
    if (token.kind === "space") continue;
    const top = depth === 0;
    if (token.kind === "open") depth++;
    if (token.kind === "close") depth = Math.max(0, depth - 1);
    if (top && isKeyword(token, "or")) return [q.trim()];
    if (top && isKeyword(token, "and")) {
      push();
      glue = false;
      continue;
    }
    const continues = glue || token.kind === "op" || token.kind === "close" || !top;
    if (!continues) push();
    if (start < 0) start = token.start;
    end = token.end;
    glue = token.kind === "op" || isKeyword(token, "not") || isSign(token) || depth > 0;
  }
  push();
  return parts;
}

export function joinClauses(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" and ");
}

/** Text inside quotes: control characters as escapes, so that a query stays one line. */
export function quote(text: string): string {
  const escaped = text.replace(/["\\\n\r\t]/g, (char) => {
    return { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char] ?? char;
  });
  return `"${escaped}"`;
}

/** No slash in front, or the value could read as a regular expression. */
const PLAIN = /^[A-Za-z0-9_@][A-Za-z0-9_@/.-]*$/;
const KEYWORD = /^(and|or|not)$/i;

/** A value as a query writes it: bare where that is safe. */
export function literal(text: string): string {
  return PLAIN.test(text) && !KEYWORD.test(text) ? text : quote(text);
}

export const fieldName = literal;

/** Longer values make no sensible query; the panel offers no filter for them. */
export const MAX_FILTER_VALUE = 1000;

export function canFilter(value: Json): boolean {
  if (value !== null && typeof value === "object") return false;
  return typeof value !== "string" || (value.length > 0 && value.length <= MAX_FILTER_VALUE);
}

/** `field:value`, exact; a field that holds `null` is one that is absent to a query. */
export function clauseFor(field: string, value: Json): string {
  if (value === null) return `not ${fieldName(field)}:*`;
  if (typeof value === "string") return `${fieldName(field)}:${literal(value)}`;
  return `${fieldName(field)}:${String(value)}`;
}

export function negate(clause: string): string {
  return clause.startsWith("not ") ? clause.slice(4) : `not ${clause}`;
}

/** Adds a clause once; its opposite gives way to it. */
export function addClause(q: string, clause: string): string {
  const parts = clauses(q);
  if (parts.includes(clause)) return q;
  const kept = parts.filter((part) => part !== negate(clause));
  const wrapped = kept.length === 1 && hasTopLevelOr(kept[0]!) ? [`(${kept[0]})`] : kept;
  return joinClauses([...wrapped, clause]);
}

export function hasClause(q: string, clause: string): boolean {
  return clauses(q).includes(clause);
}

export function removeClause(q: string, clause: string): string {
  return joinClauses(clauses(q).filter((part) => part !== clause));
}

/** In, or back out if it already is. */
export function toggleClause(q: string, clause: string): string {
  return hasClause(q, clause) ? removeClause(q, clause) : addClause(q, clause);
}

function hasTopLevelOr(q: string): boolean {
  let depth = 0;
  for (const token of tokenize(q)) {
    if (token.kind === "open") depth++;
    else if (token.kind === "close") depth--;
    else if (depth === 0 && isKeyword(token, "or")) return true;
  }
  return false;
}

export interface CaretContext {
  kind: "field" | "value";
  /** The field whose value is being typed. */
  field: string;
  /** What has been typed of it, without quotes. */
  prefix: string;
  /** What a chosen completion replaces. */
  start: number;
  end: number;
}

/** What stands at the caret. */
export function caretContext(q: string, caret: number): CaretContext {
  const tokens = tokenize(q);
  const index = tokens.findIndex((token) => token.start < caret && caret <= token.end);
  const here = index < 0 ? undefined : tokens[index];
  const operator = here?.kind === "op" ? here : tokens[index - 1];
  const field = here?.kind === "op" ? tokens[index - 1] : tokens[index - 2];
  if (here && operator?.kind === "op" && field && (field.kind === "word" || field.kind === "quoted")) {
    const start = here.kind === "op" ? caret : here.start;
    if (here.kind === "op" || here.kind === "word" || here.kind === "quoted") {
      const next = here.kind === "op" ? tokens[index + 1] : undefined;
      const end = next && (next.kind === "word" || next.kind === "quoted") ? next.end : Math.max(caret, here.end);
      return { kind: "value", field: unquote(field.text.replace(/^[-!]/, "")), prefix: unquote(q.slice(start, caret)), start, end };
    }
  }
  if (here && (here.kind === "word" || here.kind === "quoted")) {
    const start = here.start + (/^[-!]/.exec(here.text)?.[0].length ?? 0);
    return { kind: "field", field: "", prefix: unquote(q.slice(start, Math.max(start, caret))), start, end: here.end };
  }
  return { kind: "field", field: "", prefix: "", start: caret, end: caret };
}

export function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  const inner = text.endsWith('"') && text.length > 1 ? text.slice(1, -1) : text.slice(1);
  return inner.replace(/\\(.)/g, (_, char: string) => ({ n: "\n", r: "\r", t: "\t" })[char] ?? char);
}

/** Positions in errors count Unicode characters; the DOM counts UTF-16 units. */
export function utf16Offset(text: string, characters: number): number {
  let offset = 0;
  let left = characters;
  for (const char of text) {
    if (left-- <= 0) break;
    offset += char.length;
  }
  return offset;
}
