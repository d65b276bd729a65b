/**
 * Pages of a list, kept as the text they came in. A hundred thousand records as objects are what a browser stands still
 * for when it collects garbage; of texts it looks at none. A page is read again when somebody scrolls back to it.
 */
import { parseJson } from "../api/json";
import type { LogPage, LogRecord } from "../api/types";

/** What a list shows, without copying pages whenever something comes. */
export interface Rows {
  length: number;
  at(index: number): LogRecord | undefined;
  /** As `at`, without the rest of the record. */
  idAt(index: number): string | undefined;
}

export type StoredPage = Omit<LogPage, "records"> & { text: string; ids: readonly string[] };

/** Pages that stay read: more than one sees at once, and what is around it. */
const READ = 16;
const read = new Map<StoredPage, LogRecord[]>();

export function storedPage(text: string): StoredPage {
  const { records, ...rest } = parseJson<LogPage>(text);
  const page = { ...rest, text, ids: records.map(({ id }) => id) };
  keep(page, records);
  return page;
}

/** The last one asked for goes last. */
function keep(page: StoredPage, records: LogRecord[]): LogRecord[] {
  read.delete(page);
  read.set(page, records);
  for (const oldest of read.keys()) {
    if (read.size <= READ) break;
    read.delete(oldest);
  }
  return records;
}

export function rowsOf(pages: readonly StoredPage[]): Rows {
  const ends: number[] = [];
  for (const { ids } of pages) ends.push((ends[ends.length - 1] ?? 0) + ids.length);
  const placed = (index: number) => {
    if (index < 0) return undefined;
    const at = pageAt(ends, index);
    const page = pages[at];
    return page && { page, row: index - (ends[at - 1] ?? 0) };
  };
  return {
    length: ends[ends.length - 1] ?? 0,
    at(index) {
      const place = placed(index);
      if (!place) return undefined;
      const records = keep(place.page, read.get(place.page) ?? parseJson<LogPage>(place.page.text).records);
      return records[place.row];
    },
    idAt(index) {
      const place = placed(index);
      return place?.page.ids[place.row];
    },
  };
}

/** The first whose end is behind `index`. */
function pageAt(ends: readonly number[], index: number): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle]! <= index) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function rowsOfRecords(records: readonly LogRecord[]): Rows {
  return { length: records.length, at: (index) => records[index], idAt: (index) => records[index]?.id };
}
