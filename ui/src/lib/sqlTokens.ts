/** The words and signs of a statement of SQL, whole or half written: what colours it and what says where the caret is share them. Nothing here draws. */
export type TokenKind = "keyword" | "word" | "name" | "string" | "number" | "comment" | "sign" | "space";

export interface Token {
  kind: TokenKind;
  start: number;
  end: number;
}

/** Characters; a longer statement has no tokens, so that typing in it stays smooth. */
export const MOST_TOKENISED = 20_000;

export const KEYWORDS: ReadonlySet<string> = new Set(
  ("all and as asc between by case cast cross desc distinct else end except exists false from full group having ilike in inner " +
    "intersect interval is join left like limit not null nulls offset on or order outer over partition right select then true " +
    "union using values when where with").split(" "),
);

/** What has no end yet goes on to the end of the text, as it does for the server. */
const TOKEN = new RegExp(
  [
    /(?<comment>--[^\n]*|\/\*[^]*?(?:\*\/|$))/, /(?<string>'(?:[^']|'')*(?:'|$))/, /(?<name>"(?:[^"]|"")*(?:"|$))/,
    /(?<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)/, /(?<word>[\p{L}_][\p{L}\p{N}_$]*)/u, /(?<space>\s+)/, /(?<sign>[^])/,
  ].map(({ source }) => source).join("|"),
  "gu",
);

/** All of the text, in order and without gaps; nothing where it is too long. */
export function tokens(sql: string): Token[] {
  if (sql.length > MOST_TOKENISED) return [];
  return Array.from(sql.matchAll(TOKEN), (match) => {
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0] as TokenKind;
    const isKeyword = kind === "word" && KEYWORDS.has(match[0].toLowerCase());
    return { kind: isKeyword ? "keyword" : kind, start: match.index, end: match.index + match[0].length };
  });
}
