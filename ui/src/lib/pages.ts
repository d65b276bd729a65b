/**
 * Pages of a list, kept as the text they came in. A hundred thousand records as objects are what a browser stands still
 * for when it collects garbage, and so are five hundred that come while somebody scrolls; of texts it looks at none.
 * A record is read when its row is shown, and again when somebody scrolls back to it.
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

export type StoredPage = Omit<LogPage, "records"> & { text: string; places: Places; /** Of all pages that ever came. */ first: number };

/** Of record `i`, in the page's text: where it begins and ends (`4 * i`, `+ 1`), and its id (`+ 2`, `+ 3`). */
type Places = Uint32Array;
const PLACES = 4;

/** Records that stay read: several times what one sees at once, and what is around it. */
const READ = 500;
const read = new Map<number, LogRecord>();
let stored = 0;

const LIST = '"records":[';
const ID = '"id":"';

export function storedPage(text: string): StoredPage {
  const { places, around } = find(text);
  const { records: _, ...rest } = parseJson<LogPage>(around);
  const page = { ...rest, text, places, first: stored };
  stored += countOf(page);
  return page;
}

function countOf({ places }: StoredPage): number {
  return places.length / PLACES;
}

/** Where the records are in a page that the server wrote, which has no space between its tokens; and the page without them. */
function find(text: string): { places: Places; around: string } {
  const places: number[] = [];
  let [depth, list, start, id] = [0, -1, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      if (depth === 1 && text.startsWith(LIST, at)) list = at + LIST.length;
      else if (depth === 3 && list >= 0 && text.startsWith(ID, at)) id = at + ID.length;
      at = endOfString(text, at);
    } else if (char === OBJECT || char === ARRAY) {
      depth++;
      if (depth === 3) start = at;
    } else if (char === OBJECT_END || char === ARRAY_END) {
      depth--;
      if (list < 0) continue;
      if (depth === 2) places.push(start, at + 1, id, text.indexOf('"', id));
      else if (depth === 1) return { places: Uint32Array.from(places), around: text.slice(0, list) + text.slice(at) };
    }
  }
  throw new SyntaxError("a page of records that ends too early");
}

const [QUOTE, BACKSLASH, OBJECT, OBJECT_END, ARRAY, ARRAY_END] = Array.from('"\\{}[]', (char) => char.charCodeAt(0)) as [number, number, number, number, number, number];

/** A quote ends a string unless an odd number of backslashes is before it. */
function endOfString(text: string, begin: number): number {
  for (let end = text.indexOf('"', begin + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}

function record({ text, places, first }: StoredPage, row: number): LogRecord {
  const key = first + row;
  const record = read.get(key) ?? parseJson<LogRecord>(text.slice(places[PLACES * row], places[PLACES * row + 1]));
  return keep(key, record);
}

/** The last one asked for goes last. */
function keep(key: number, record: LogRecord): LogRecord {
  read.delete(key);
  read.set(key, record);
  for (const oldest of read.keys()) {
    if (read.size <= READ) break;
    read.delete(oldest);
  }
  return record;
}

export function rowsOf(pages: readonly StoredPage[]): Rows {
  const ends: number[] = [];
  for (const page of pages) ends.push((ends[ends.length - 1] ?? 0) + countOf(page));
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
      return place && record(place.page, place.row);
    },
    idAt(index) {
      const place = placed(index);
      if (!place) return undefined;
      const { text, places } = place.page;
      return text.slice(places[PLACES * place.row + 2], places[PLACES * place.row + 3]);
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
