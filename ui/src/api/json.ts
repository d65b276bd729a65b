import type { Json } from "./types";

/** A run of digits long enough to leave the integers a double can hold. */
const LONG_NUMBER = /[[:,\s]-?\d{16,}/;

interface ReviverContext {
  source?: string;
}

function keepDigits(_key: string, value: unknown, context?: ReviverContext): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/**
 * `JSON.parse`, except that integers beyond 2^53 keep every digit: a log's id that changes on screen is a wrong answer.
 * The slower reviver runs only where the text holds such a number.
 */
export function parseJson<T>(text: string): T {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text) as T;
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown) as T;
}

/** `JSON.stringify` that also writes the integers `parseJson` kept. */
export function writeJson(value: unknown, indent = 0): string {
  return write(value as Json, indent, "");
}

function write(value: Json, indent: number, lead: string): string {
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const inner = lead + " ".repeat(indent);
  const parts = Array.isArray(value)
    ? value.map((item) => write(item, indent, inner))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${indent ? " " : ""}${write(item, indent, inner)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (parts.length === 0) return open + close;
  return indent ? `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${lead}${close}` : open + parts.join(",") + close;
}
