/** Queries made of the reader's own fields and values, because `foo:bar` teaches nobody what can be asked here. */
import type { Field, Json } from "../api/types";
import { canFilter, clauseFor, fieldName, literal } from "./query";

export type Lesson = "text" | "phrase" | "field" | "out" | "any" | "wildcard" | "exists" | "range" | "either" | "group";

/** Longer values are no examples. */
const MOST = 40;
const NUMBERS = ["int", "double"];

interface Found {
  field: Field;
  value: string;
}

/** The first value that is as wanted, most frequent fields first. */
function find(fields: readonly Field[], fits: (value: string) => boolean): Found | undefined {
  for (const field of fields) {
    for (const { value } of field.top) {
      if (typeof value === "string" && value.length <= MOST && canFilter(value) && fits(value)) return { field, value };
    }
  }
  return undefined;
}

const isShort = (value: Json) => canFilter(value) && String(value).length <= MOST;
const letters = (value: string) => /^[a-z]{4,}/i.exec(value)?.[0] ?? "";

/** The word that one would look for first: of a message or an error, else of any value. */
function wordOf(fields: readonly Field[]): string {
  const texts = fields.filter(({ name }) => /message|error|reason|description/.test(name));
  const found = find(texts, (value) => letters(value) !== "") ?? find(fields, (value) => letters(value) !== "");
  return found ? letters(found.value).toLowerCase() : "timeout";
}

function rangeOf(fields: readonly Field[]): string {
  const number = fields.find(({ name }) => name === "http.response.status_code") ?? fields.find(({ types, top }) => types.some((type) => NUMBERS.includes(type)) && top.length > 0);
  if (!number || number.name === "http.response.status_code") return `${fieldName(number?.name ?? "http.response.status_code")}>=500`;
  return `${fieldName(number.name)}>=${String(number.top[0]?.value ?? 100)}`;
}

/** What has some records only, so that asking for it says something. */
function rareOf(fields: readonly Field[]): string {
  const most = fields.reduce((high, { count }) => Math.max(high, count), 0);
  return fields.find(({ count, name }) => count > 0 && count < most && name !== "severity")?.name ?? "trace_id";
}

export function examples(fields: readonly Field[]): [query: string, lesson: Lesson][] {
  const usual = fields.find(({ name, top }) => name === "service.name" && top.length > 0) ?? fields.find(({ top }) => top.some(({ value }) => isShort(value)));
  const name = usual?.name ?? "service.name";
  const values = usual?.top.map(({ value }) => value).filter(isShort) ?? [];
  const clause = clauseFor(name, values[0] ?? "checkout");
  const path = find(fields.filter((field) => field.name === "url.path"), (value) => value.length > 2);
  const shape = path ? `url.path:${path.value.split("/").slice(0, 2).join("/")}*` : `${fieldName(name)}:${literal(String(values[0] ?? "checkout").slice(0, 2))}*`;
  const phrase = find(fields, (value) => /^[a-z]+ [a-z]+/i.test(value))?.value ?? "connection refused";
  const range = rangeOf(fields);
  const failing = fields.some((field) => field.name === "span.status.code") ? "span.status.code:error" : "severity:error";
  const pair = values.slice(0, 2).map((value) => (typeof value === "string" ? literal(value) : String(value)));
  return [
    [wordOf(fields), "text"],
    [`"${phrase.replace(/["\\]/g, "\\$&")}"`, "phrase"],
    [clause, "field"],
    [`not ${clause}`, "out"],
    ...(pair.length === 2 ? [[`${fieldName(name)}:(${pair.join(" or ")})`, "any"] as [string, Lesson]] : []),
    [shape, "wildcard"],
    [`${fieldName(rareOf(fields))}:*`, "exists"],
    [range, "range"],
    [`${failing} or ${range}`, "either"],
    [`(${failing} or ${range}) and not ${clause}`, "group"],
  ];
}
