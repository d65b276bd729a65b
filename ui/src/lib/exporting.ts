/** Reading a file that the server makes, with what can be said of how far it is. */
import { UnreachableError, asError, url, type Window } from "../api/client";

export const FORMATS = ["csv", "ndjson", "parquet"] as const;
export type Format = (typeof FORMATS)[number];

/** More than this is not collected in the memory of a page. */
export const MOST_BYTES = 256 * 2 ** 20;

export interface Asked extends Window {
  format: Format;
  order: string;
  limit: string;
  /** Columns of CSV and Parquet, beside those that are always there; all attributes as one where none are named. */
  fields: readonly string[];
}

export interface Progress {
  bytes: number;
  /** Records so far, where the form lets one count them. */
  records: number | null;
}

export interface Saved extends Progress {
  name: string;
  file: Blob;
}

/** The server went away, or gave up, before the end. */
export class CutShortError extends Error {}

/** It is more than a page may collect. */
export class TooLargeError extends Error {}

export function exportAddress({ format, fields, ...asked }: Asked): string {
  return url("/export", { ...asked, format, fields: format === "ndjson" ? "" : fields.join(",") });
}

const QUOTE = 0x22;
const LINE_FEED = 0x0a;

/** Counts the records in what came: lines, those within the quotes of CSV aside, and without its header. */
export class RecordCounter {
  private lines = 0;
  private quoted = false;
  private readonly format: Format;

  constructor(format: Format) {
    this.format = format;
  }

  add(bytes: Uint8Array): void {
    if (this.format === "parquet") return;
    const quotes = this.format === "csv";
    for (const byte of bytes) {
      // A quote within quotes is two of them, which is as none.
      if (byte === QUOTE && quotes) this.quoted = !this.quoted;
      else if (byte === LINE_FEED && !this.quoted) this.lines += 1;
    }
  }

  get records(): number | null {
    if (this.format === "parquet") return null;
    return this.format === "csv" ? Math.max(0, this.lines - 1) : this.lines;
  }
}

/** The file, once all of it is here; an error if that does not come to be. */
export async function collect(asked: Asked, signal: AbortSignal, progress: (so: Progress) => void): Promise<Saved> {
  const answer = await open(exportAddress(asked), signal);
  const counter = new RecordCounter(asked.format);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const reader = answer.body!.getReader();
  for (;;) {
    const part = await reader.read().catch((error: unknown) => {
      if (signal.aborted) throw error;
      throw new CutShortError();
    });
    if (part.done) break;
    parts.push(part.value);
    bytes += part.value.length;
    counter.add(part.value);
    progress({ bytes, records: counter.records });
    if (bytes > MOST_BYTES) {
      await reader.cancel();
      throw new TooLargeError();
    }
  }
  const name = fileName(answer.headers.get("content-disposition"), asked.format);
  return { name, bytes, records: counter.records, file: new Blob(parts, { type: answer.headers.get("content-type") ?? "" }) };
}

async function open(address: string, signal: AbortSignal): Promise<Response> {
  const answer = await fetch(address, { signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new UnreachableError();
  });
  if (answer.ok) return answer;
  throw asError(answer.status, await answer.text().catch(() => ""));
}

/** As the server calls it, if that is a plain name. */
export function fileName(disposition: string | null, format: Format): string {
  return /filename="([\w.-]+)"/.exec(disposition ?? "")?.[1] ?? `logs.${format}`;
}
