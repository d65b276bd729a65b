/**
 * The tail as the list sees it: records on screen, records that wait while the reader reads, and what was lost.
 *
 * Everything is bounded. Where a buffer would overflow the list is fetched afresh instead of showing a hole.
 */
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../api/client";
import { openTail, type TailEvents } from "../api/tail";
import type { LogRecord } from "../api/types";
import { newestFirst } from "./record";

export const KEEP = 5000;

export type TailState = "off" | "connecting" | "live" | "paused" | "away";

interface Buffers {
  shown: LogRecord[];
  waiting: number;
  lost: number;
  state: TailState;
  /** What is older than `shown` is no longer adjacent to it: the pages below must not be shown under it. */
  cut: boolean;
}

const EMPTY: Buffers = { shown: [], waiting: 0, lost: 0, state: "off", cut: false };

export interface Tail extends Buffers {
  pause(): void;
  resume(): void;
}

export interface TailInput {
  q: string;
  /** Names what the list shows; records are kept over a restart only while it stays the same. */
  list: string;
  wanted: boolean;
  run: number;
  /** Asks for a fresh list: after a lost connection, or when more came than is kept. */
  resync(): void;
}

export function useTail({ q, list, wanted, run, resync }: TailInput): Tail {
  const [buffers, setBuffers] = useState<Buffers>(EMPTY);
  const waiting = useRef<LogRecord[]>([]);
  const paused = useRef(false);
  const overflow = useRef(false);
  const shownList = useRef(list);
  const again = useRef(resync);
  again.current = resync;

  const flush = useCallback(() => {
    const fresh = waiting.current;
    waiting.current = [];
    setBuffers((old) => {
      const all = merge(old.shown, fresh);
      const cut = old.cut || all.length > KEEP;
      const state = old.state === "paused" ? "live" : old.state;
      return { ...old, shown: all.length > KEEP ? all.slice(0, KEEP / 2) : all, cut, waiting: 0, state };
    });
  }, []);

  useEffect(() => {
    waiting.current = [];
    overflow.current = false;
    const same = shownList.current === list;
    shownList.current = list;
    if (!same) paused.current = false;
    const state = !wanted ? "off" : paused.current ? "paused" : "connecting";
    setBuffers((old) => (same && !old.cut ? { ...old, waiting: 0, lost: 0, state } : { ...EMPTY, state }));
    if (!wanted) return;
    const events: TailEvents = {
      open(reconnected) {
        if (reconnected) again.current();
        setBuffers((old) => ({ ...old, state: paused.current ? "paused" : "live" }));
      },
      records(records) {
        waiting.current = merge(waiting.current, records);
        if (waiting.current.length > KEEP) {
          overflow.current = true;
          waiting.current.length = KEEP;
        }
        if (paused.current) setBuffers((old) => ({ ...old, waiting: old.waiting + records.length }));
        else flush();
      },
      lost: (lost) => setBuffers((old) => ({ ...old, lost })),
      away: () => setBuffers((old) => ({ ...old, state: "away" })),
      refused: () => setBuffers((old) => ({ ...old, state: "off" })),
    };
    return listen(api.tailUrl(q), events, () => again.current());
    // `run` restarts the stream together with the list, so that no record falls between the two.
  }, [q, list, wanted, run, flush]);

  const pause = useCallback(() => {
    if (paused.current) return;
    paused.current = true;
    setBuffers((old) => (old.state === "live" || old.state === "connecting" ? { ...old, state: "paused" } : old));
  }, []);

  const resume = useCallback(() => {
    paused.current = false;
    if (overflow.current) again.current();
    else flush();
  }, [flush]);

  return { ...buffers, pause, resume };
}

/** A hidden page closes its stream (a browser allows six connections to a host) and starts afresh when seen again. */
function listen(url: string, events: TailEvents, seen: () => void): () => void {
  let stop = document.hidden ? () => {} : openTail(url, events);
  const onVisibility = () => {
    stop();
    stop = () => {};
    if (!document.hidden) seen();
  };
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    stop();
  };
}

/** What the list shows, without copying the pages on every frame of a tail. */
export interface Rows {
  length: number;
  at(index: number): LogRecord | undefined;
}

export interface Pages {
  records: LogRecord[];
  /** Nothing older is left to load. */
  complete: boolean;
}

/** Of pages that are the same they are gathered once, and only where something is over them. */
const idsOf = (() => {
  const known = new WeakMap<LogRecord[], ReadonlySet<string>>();
  return (records: LogRecord[]) => {
    const ids = known.get(records) ?? new Set(records.map(({ id }) => id));
    known.set(records, ids);
    return ids;
  };
})();

/**
 * The tail's records over the pages', each once. A tail record older than the last page is left to the page that will
 * bring it, or there would be a hole above it.
 */
export function stack(shown: LogRecord[], { records: pages, complete }: Pages): Rows {
  if (shown.length === 0) return { length: pages.length, at: (index) => pages[index] };
  const ids = idsOf(pages);
  const oldest = complete ? undefined : pages[pages.length - 1];
  const above = shown.filter((record) => !ids.has(record.id) && (!oldest || newestFirst(record, oldest) < 0));
  const last = above[above.length - 1];
  const apart = last === undefined || pages[0] === undefined || newestFirst(last, pages[0]) < 0;
  if (!apart) {
    const all = [...above, ...pages].sort(newestFirst);
    return { length: all.length, at: (index) => all[index] };
  }
  return {
    length: above.length + pages.length,
    at: (index) => (index < above.length ? above[index] : pages[index - above.length]),
  };
}

/** Newest first. New records nearly always belong in front, which a sort of nearly sorted input finds cheaply. */
export function merge(shown: LogRecord[], fresh: LogRecord[]): LogRecord[] {
  if (fresh.length === 0) return shown;
  const sorted = [...fresh].sort(newestFirst);
  const last = sorted[sorted.length - 1]!;
  const all = [...sorted, ...shown];
  return shown[0] === undefined || newestFirst(last, shown[0]) < 0 ? all : all.sort(newestFirst);
}
