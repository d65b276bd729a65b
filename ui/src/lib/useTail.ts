/**
 * The tail as the list sees it: records on screen, records that wait while the reader reads, and what was lost.
 *
 * Everything is bounded. Where a buffer would overflow the list is fetched afresh instead of showing a hole.
 */
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../api/client";
import { openTail, type TailEvents } from "../api/tail";
import type { LogRecord } from "../api/types";
import type { Rows } from "./pages";
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

/** Of pages that are the same they are gathered once, and only where something is over them. */
const idsOf = (() => {
  const known = new WeakMap<Rows, ReadonlySet<string>>();
  return (pages: Rows) => {
    const ids = known.get(pages) ?? new Set(Array.from({ length: pages.length }, (_, index) => pages.idAt(index)!));
    known.set(pages, ids);
    return ids;
  };
})();

/**
 * The tail's records over the pages', each once; `complete` if nothing older is left to load. A tail record older than the last page is left to the page that will
 * bring it, or there would be a hole above it.
 */
export function stack(shown: LogRecord[], pages: Rows, complete: boolean): Rows {
  if (shown.length === 0) return pages;
  const ids = idsOf(pages);
  const oldest = complete ? undefined : pages.at(pages.length - 1);
  const above = shown.filter((record) => !ids.has(record.id) && (!oldest || newestFirst(record, oldest) < 0));
  const last = above[above.length - 1];
  const newer = last ? newerThan(last, pages) : [];
  const top = newer.length > 0 ? [...above, ...newer].sort(newestFirst) : above;
  return {
    length: above.length + pages.length,
    at: (index) => (index < top.length ? top[index] : pages.at(index - above.length)),
    idAt: (index) => (index < top.length ? top[index]?.id : pages.idAt(index - above.length)),
  };
}

function newerThan(one: LogRecord, pages: Rows): LogRecord[] {
  const newer = [];
  for (let index = 0; index < pages.length; index++) {
    const record = pages.at(index);
    if (!record || newestFirst(one, record) < 0) break;
    newer.push(record);
  }
  return newer;
}

/** Newest first. New records nearly always belong in front, which a sort of nearly sorted input finds cheaply. */
export function merge(shown: LogRecord[], fresh: LogRecord[]): LogRecord[] {
  if (fresh.length === 0) return shown;
  const sorted = [...fresh].sort(newestFirst);
  const last = sorted[sorted.length - 1]!;
  const all = [...sorted, ...shown];
  return shown[0] === undefined || newestFirst(last, shown[0]) < 0 ? all : all.sort(newestFirst);
}
