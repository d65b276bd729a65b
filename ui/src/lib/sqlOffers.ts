/** What the editor of SQL offers at the caret: tables, their columns, functions and keywords. */
import type { SqlAnswer } from "../api/types";
import type { Completion } from "./completion";
import { visibleLine } from "./format";
import type { SqlCaret } from "./sqlCaret";
import { KEYWORDS, tokens } from "./sqlTokens";

export interface SqlColumn {
  name: string;
  type: string;
}

/** Columns by table. */
export type SqlTables = ReadonlyMap<string, readonly SqlColumn[]>;

/** Answered with what the one who asks may see, and written into the audit trail as any other. */
export const TABLES_SQL = "select table_name, column_name, data_type from information_schema.columns where table_name in ('logs', 'spans', 'audit')";

const LIMIT = 10;

/** Those that are called often; the server has more. */
export const FUNCTIONS: readonly string[] = (
  "approx_distinct approx_percentile_cont array_agg avg bool_and bool_or character_length coalesce concat count date_bin date_trunc " +
  "first_value greatest last_value least lower match_phrase max median mesh_failure mesh_service mesh_workload min now nullif " +
  "regexp_like regexp_match regexp_replace replace round row_number split_part starts_with stddev string_agg strpos substr sum to_timestamp upper"
).split(" ");

export function tablesOf({ rows }: SqlAnswer): SqlTables {
  const tables = new Map<string, SqlColumn[]>();
  for (const [table, name, type] of rows) {
    const known = tables.get(String(table)) ?? [];
    known.push({ name: String(name), type: typeName(String(type)) });
    tables.set(String(table), known);
  }
  return tables;
}

/** As a statement of SQL names it. */
function typeName(type: string): string {
  if (type.startsWith("Timestamp")) return "timestamp";
  if (/^U?Int/.test(type)) return "bigint";
  return { Utf8: "text", Float64: "double", Boolean: "boolean" }[type] ?? type.toLowerCase();
}

/** A name that is no plain word, or is one of SQL's own, stands in quotation marks. */
export function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !KEYWORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** The tables that a statement names; all of them where it names none yet. */
function tablesIn(sql: string, tables: SqlTables): string[] {
  const words = new Set(tokens(sql).filter(({ kind }) => kind === "word").map(({ start, end }) => sql.slice(start, end).toLowerCase()));
  const named = [...tables.keys()].filter((table) => words.has(table));
  return named.length > 0 ? named : [...tables.keys()];
}

interface Offer {
  label: string;
  note: string;
  insert: string;
}

/** Those that begin with what is written come first, then those of which a part does, then those that have it anywhere. */
function best(offers: Offer[], prefix: string): Offer[] {
  const wanted = prefix.toLowerCase();
  const rank = ({ label }: Offer) => {
    const at = label.toLowerCase().indexOf(wanted);
    return at < 0 ? -1 : at === 0 ? 0 : /[._]/.test(label[at - 1]!) ? 1 : 2;
  };
  const ranked = offers.map((offer, place) => ({ offer, place, rank: rank(offer) })).filter(({ rank }) => rank >= 0);
  return ranked.sort((a, b) => a.rank - b.rank || a.place - b.place).slice(0, LIMIT).map(({ offer }) => offer);
}

/** `notes` says what is neither a table nor a column. Nothing is offered for nothing, but for a table. */
export function sqlOffers(caret: SqlCaret, sql: string, tables: SqlTables, notes: { table: string; function: string; keyword: string }): Completion[] {
  const placed = (offers: Offer[], prefix: string, start: number): Completion[] => {
    const found = best(offers, prefix).map((offer) => ({ ...offer, label: visibleLine(offer.label), start, end: caret.end }));
    // It is all there.
    return found.length === 1 && found[0]!.insert === sql.slice(start, caret.end) ? [] : found;
  };
  if (caret.kind === "table") {
    return placed([...tables.keys()].map((name) => ({ label: name, note: notes.table, insert: name })), caret.prefix, caret.start);
  }
  const dot = caret.prefix.indexOf(".");
  const table = dot < 0 ? undefined : caret.prefix.slice(0, dot).toLowerCase();
  const column = ({ name, type }: SqlColumn) => ({ label: name, note: type, insert: quoted(name) });
  const ofTable = table === undefined ? undefined : tables.get(table);
  if (ofTable) return placed(ofTable.map(column), caret.prefix.slice(dot + 1), caret.start + dot + 1);
  if (caret.prefix === "") return [];
  const columns = new Map(tablesIn(sql, tables).flatMap((name) => tables.get(name) ?? []).map((one) => [one.name, column(one)]));
  const functions = FUNCTIONS.map((name) => ({ label: name, note: notes.function, insert: `${name}(` }));
  const written = caret.prefix.toLowerCase();
  const keywords = [...KEYWORDS].filter((word) => word.startsWith(written) && word !== written).map((word) => ({ label: word, note: notes.keyword, insert: `${word} ` }));
  return placed([...columns.values(), ...functions, ...keywords], caret.prefix, caret.start);
}
