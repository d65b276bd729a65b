/** What the search bar offers at the caret: field names, or the values of the field before it. */
import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import type { Field, ValueCount } from "../api/types";
import { t } from "../strings";
import { compact, plainText, visibleLine } from "./format";
import { MAX_FILTER_VALUE, caretContext, fieldName, literal, type CaretContext } from "./query";
import { byImportance } from "./record";
import type { Range } from "./time";

export interface Completion {
  label: string;
  note: string;
  insert: string;
  start: number;
  end: number;
}

/** The text with what was chosen, and where the caret is then. */
export function completed(text: string, { start, end, insert }: Completion): [string, number] {
  return [text.slice(0, start) + insert + text.slice(end), start + insert.length];
}

const LIMIT = 10;

export type ValuesOf = typeof api.values;

export function useCompletions(draft: string, caret: number, fields: Field[], view: Range, open: boolean, valuesOf: ValuesOf) {
  const context = caretContext(draft, caret);
  const wantsValues = open && context.kind === "value";
  const values = useQuery({
    queryKey: ["completion", context.field, view.from, view.to, valuesOf === api.values],
    queryFn: ({ signal }) => valuesOf(context.field, { q: "", from: view.from, to: view.to }, 100, signal),
    enabled: wantsValues,
    staleTime: 30_000,
    retry: false,
  });
  if (!open) return { title: "", items: [] };
  if (context.kind === "value") {
    return { title: t.search.values(context.field), items: valueItems(context, values.data?.values ?? []) };
  }
  return { title: t.search.fields, items: fieldItems(context, fields) };
}

export function fieldItems(context: CaretContext, fields: Field[]): Completion[] {
  const wanted = context.prefix.toLowerCase();
  if (/^(and|or|not)$/.test(wanted)) return [];
  return fields
    .filter((field) => field.name.toLowerCase().includes(wanted))
    .sort((a, b) => {
      const starts = (field: Field) => Number(!field.name.toLowerCase().startsWith(wanted));
      return starts(a) - starts(b) || byImportance(a, b);
    })
    .slice(0, LIMIT)
    .map((field) => ({
      label: visibleLine(field.name),
      note: field.types.join(", "),
      insert: `${fieldName(field.name)}:`,
      start: context.start,
      end: context.end,
    }));
}

export function valueItems(context: CaretContext, values: ValueCount[]): Completion[] {
  const wanted = context.prefix.replace(/\*$/, "").toLowerCase();
  return values
    .filter(({ value }) => value !== null && typeof value !== "object")
    .map(({ value, count }) => ({ text: plainText(value), count }))
    .filter(({ text }) => text.length <= MAX_FILTER_VALUE && text.toLowerCase().includes(wanted))
    .slice(0, LIMIT)
    .map(({ text, count }) => ({
      label: visibleLine(text),
      note: compact(count),
      insert: `${literal(text)} `,
      start: context.start,
      end: context.end,
    }));
}
