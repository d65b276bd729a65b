/**
 * The live tail, without React: it reads a stream of records and hands over what came, once per animation frame.
 *
 * A burst must cost a frame, not one render a record, so lines wait unparsed in a bounded buffer. What does not fit is
 * counted, and so is what the server says it dropped: the number on screen never hides a loss.
 */
import { parseJson } from "./json";
import type { ErrorBody, LogRecord, TailStatus } from "./types";

export const FRAME_LIMIT = 1000;

export interface TailEvents {
  /** Called on each connection; `again` where it follows a lost one, so that what was missed can be fetched. */
  open(again: boolean): void;
  records(records: LogRecord[]): void;
  /** Matching records so far that this page never showed: dropped by the server, or by the page itself. */
  lost(total: number): void;
  /** The stream broke; the browser tries again by itself. */
  away(): void;
  refused(error: ErrorBody): void;
}

/** The part of `EventSource` that is used, so that tests can stand in for it. */
export interface Source {
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface TailHost {
  connect(url: string): Source;
  frame(run: () => void): void;
  later(run: () => void, ms: number): () => void;
}

export const browserHost: TailHost = {
  connect: (url) => new EventSource(url),
  frame: (run) => void requestAnimationFrame(run),
  later: (run, ms) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

const CLOSED = 2;
const RETRY_MS = 2000;

export function openTail(url: string, events: TailEvents, host: TailHost = browserHost): () => void {
  let waiting: string[] = [];
  let scheduled = false;
  let stopped = false;
  let opened = false;
  let skipped = 0;
  let finished = 0;
  let dropped = 0;
  let source: Source;
  let cancelRetry = () => {};

  const flush = () => {
    scheduled = false;
    if (stopped || waiting.length === 0) return;
    const lines = waiting;
    waiting = [];
    events.records(lines.flatMap(parseRecord));
  };
  const push = (line: string) => {
    waiting.push(line);
    if (waiting.length > FRAME_LIMIT) {
      waiting.shift();
      skipped++;
      events.lost(skipped + finished + dropped);
    }
    if (!scheduled) {
      scheduled = true;
      host.frame(flush);
    }
  };
  const connect = () => {
    source = host.connect(url);
    source.onopen = () => {
      events.open(opened);
      opened = true;
      finished += dropped;
      dropped = 0;
    };
    source.onerror = (event) => {
      // The server's own `event: error` arrives here too, and is no lost connection.
      if (stopped || event instanceof MessageEvent) return;
      events.away();
      // The browser gives up where the answer was not a stream, for example a proxy's 502.
      if (source.readyState === CLOSED) cancelRetry = host.later(connect, RETRY_MS);
    };
    source.addEventListener("record", (event) => push(event.data));
    source.addEventListener("status", (event) => {
      const status = parseJson<TailStatus>(event.data);
      if (status.dropped === dropped) return;
      dropped = status.dropped;
      events.lost(skipped + finished + dropped);
    });
    source.addEventListener("error", (event) => {
      if (typeof event.data !== "string") return;
      stop();
      events.refused(parseJson<{ error: ErrorBody }>(event.data).error);
    });
  };
  const stop = () => {
    stopped = true;
    cancelRetry();
    source.close();
  };
  connect();
  return stop;
}

function parseRecord(line: string): LogRecord[] {
  try {
    return [parseJson<LogRecord>(line)];
  } catch {
    return [];
  }
}
