/**
 * Turning what a sender wrote into text that is safe to look at. React escapes markup; these deal with what remains:
 * characters that hide, reorder or overflow.
 */
import { writeJson } from "../api/json";
import type { Json } from "../api/types";

/** C0, DEL, C1, bidi overrides and isolates, zero-width characters, line separators, the byte order mark. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;
const UNSEEN_EXCEPT_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;

/** As escapes, which every font has; the control pictures of Unicode are missing from many. */
function escape(char: string): string {
  const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
  if (short) return short;
  const code = char.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
}

/** One line of visible characters, for titles and labels. */
export function visibleLine(text: string): string {
  return text.replace(UNSEEN, escape);
}

export interface Piece {
  text: string;
  /** Stands for a character that cannot be seen, and must not look like text that was sent. */
  escaped: boolean;
}

/** The same in pieces, for what is drawn. With `lines`, line breaks and tabs keep their effect. */
export function pieces(text: string, lines = false): Piece[] {
  const unseen = lines ? UNSEEN_EXCEPT_LINES : UNSEEN;
  const source = lines ? text.replace(/\r\n/g, "\n") : text;
  const found: Piece[] = [];
  let at = 0;
  for (const match of source.matchAll(unseen)) {
    if (match.index > at) found.push({ text: source.slice(at, match.index), escaped: false });
    const last = found[found.length - 1];
    if (last?.escaped) last.text += escape(match[0]);
    else found.push({ text: escape(match[0]), escaped: true });
    at = match.index + 1;
  }
  if (at < source.length) found.push({ text: source.slice(at), escaped: false });
  return found;
}

export function plainText(value: Json): string {
  return typeof value === "string" ? value : writeJson(value);
}

export function typeName(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "double";
  if (typeof value === "boolean") return "bool";
  return typeof value === "object" ? "map" : "string";
}

const WHOLE = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function whole(value: number): string {
  return WHOLE.format(value);
}

export function compact(value: number): string {
  return value < 10_000 ? WHOLE.format(value) : COMPACT.format(value);
}

export function millis(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} \u00b5s`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}

export function bytes(value: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let left = value;
  while (left >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit++;
  }
  return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
}
