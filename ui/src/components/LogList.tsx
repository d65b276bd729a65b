import { useCallback, useEffect, useRef, useState } from "react";
import { MOVE, type Move } from "../lib/keys";
import { useRows } from "../lib/rows";
import type { View } from "../lib/url";
import type { Rows } from "../lib/pages";
import type { Tail } from "../lib/useTail";
import { t } from "../strings";
import { ListHead, columnsStyle } from "./ListHead";
import { LogRow } from "./LogRow";

interface Paging {
  more: boolean;
  busy: boolean;
  failed: boolean;
  next(): void;
}

interface Props {
  rows: Rows;
  view: View;
  update(patch: Partial<View>): void;
  tail: Tail;
  narrow: boolean;
  stale: boolean;
  openRecord(id: string | null): void;
  refresh(): void;
  paging: Paging;
  children: React.ReactNode;
}

export const ROW_PX = 24;
export const NARROW_ROW_PX = 58;
/** Fetch the next page when this many rows are left below, or this part of few. */
const AHEAD = 150;
const AHEAD_OF_FEW = 1 / 3;

export function LogList(props: Props) {
  const { rows, view, update, tail, narrow, openRecord, paging, children } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const rowPx = narrow ? NARROW_ROW_PX : ROW_PX;
  const virtual = useRows(scroller, rows.length, rowPx, 12);
  const scrollTo = useCallback((index: number) => virtual.scrollToIndex(index, { align: "auto" }), [virtual]);
  const [cursor, setCursor] = useCursor(rows, view.record, openRecord, scrollTo, tail.pause);
  useTopOnChange(scroller, [view.q, view.from, view.to, view.template, view.order].join("\0"));

  const items = virtual.getVirtualItems();
  const lastShown = items[items.length - 1]?.index ?? 0;
  const { more, busy, failed, next } = paging;
  useEffect(() => {
    if (more && !busy && !failed && rows.length > 0 && lastShown > rows.length - Math.min(AHEAD, rows.length * AHEAD_OF_FEW)) next();
  }, [more, busy, failed, next, lastShown, rows.length]);

  const grid = {
    role: "grid", "aria-rowcount": more ? -1 : rows.length, "aria-label": t.list.label,
    "aria-activedescendant": cursor ? `row-${cursor}` : undefined,
  };
  const onScroll = () => {
    if (head.current) head.current.scrollLeft = scroller.current?.scrollLeft ?? 0;
    if ((scroller.current?.scrollTop ?? 0) > rowPx) tail.pause();
  };
  const toNew = () => {
    scroller.current?.scrollTo({ top: 0 });
    tail.resume();
  };
  const pressed = useRef<string | null>(null);
  const rowId = (target: EventTarget) => (target instanceof Element ? target.closest("[data-id]")?.getAttribute("data-id") : null) ?? null;
  const pick = () => {
    if (window.getSelection()?.isCollapsed === false || pressed.current === null) return;
    setCursor(pressed.current);
    openRecord(pressed.current);
  };

  return (
    <section className={`list ${props.stale ? "stale" : ""}`} aria-label={t.list.label} style={columnsStyle(view)}>
      <ListHead view={view} update={update} rows={rows} innerRef={head} />
      {tail.waiting > 0 && (
        <button type="button" className="pill" onClick={toNew} aria-live="polite">↑ {t.tail.fresh(tail.waiting)}</button>
      )}
      <div
        className="scroller" ref={scroller} onScroll={onScroll} tabIndex={0} {...(rows.length > 0 ? grid : {})} data-rows={rows.length}
        // A live row may move between press and release; the press says which one was meant.
        onPointerDown={(event) => { pressed.current = rowId(event.target); }} onClick={pick}
      >
        {children}
        <div className="rows" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const record = rows.at(item.index);
            return record ? (
              <LogRow
                key={record.id} record={record} top={item.start} index={item.index} columns={view.columns} narrow={narrow}
                active={record.id === (view.record ?? cursor)}
              />
            ) : null;
          })}
        </div>
        {rows.length > 0 && <ListEnd {...props} />}
      </div>
    </section>
  );
}

function ListEnd({ tail, paging, refresh }: Props) {
  if (tail.cut) return <div className="list-end"><button type="button" className="button" onClick={refresh}>{t.list.older}</button></div>;
  if (paging.failed) {
    return (
      <div className="list-end" role="alert">
        {t.list.failed} <button type="button" className="button" onClick={paging.next}>{t.states.retry}</button>
      </div>
    );
  }
  return <div className="list-end muted">{paging.more ? t.list.loadingMore : t.list.end}</div>;
}

/** The row that the keyboard is on. It is a record and not a number, so it stays when rows arrive above it. */
function useCursor(
  rows: Rows, record: string | null, open: (id: string) => void, scrollTo: (index: number) => void, pause: () => void,
): [string | null, (id: string | null) => void] {
  const [cursor, setCursor] = useState<string | null>(null);
  const at = useRef(-1);
  const latest = useRef({ rows, record, open, scrollTo, cursor, pause });
  latest.current = { rows, record, open, scrollTo, cursor, pause };
  useEffect(() => {
    const onMove = (event: Event) => {
      const now = latest.current;
      const step = (event as CustomEvent<Move>).detail;
      const from = indexOf(now.rows, now.record ?? now.cursor, at.current);
      const to = step === "top" ? 0 : Math.min(now.rows.length - 1, Math.max(0, from + (step === "down" ? 1 : step === "up" ? -1 : 0)));
      const target = now.rows.at(to);
      if (!target) return;
      at.current = to;
      if (step !== "top") now.pause();
      setCursor(target.id);
      now.scrollTo(to);
      if (step === "open" || (now.record && step !== "top")) now.open(target.id);
    };
    document.addEventListener(MOVE, onMove);
    return () => document.removeEventListener(MOVE, onMove);
  }, []);
  return [cursor, setCursor];
}

/** Looks near the last place first: the list may hold a hundred thousand rows. */
function indexOf(rows: Rows, id: string | null, hint: number): number {
  if (id === null) return -1;
  for (let away = 0; away < rows.length; away++) {
    if (rows.idAt(hint + away) === id) return hint + away;
    if (hint - away >= 0 && rows.idAt(hint - away) === id) return hint - away;
  }
  for (let index = 0; index < hint; index++) if (rows.idAt(index) === id) return index;
  return hint;
}

function useTopOnChange(scroller: React.RefObject<HTMLDivElement | null>, key: string): void {
  // Braces: newer browsers return a promise from scrollTo, and an effect must return nothing else than a clean-up.
  useEffect(() => { void scroller.current?.scrollTo({ top: 0 }); }, [scroller, key]);
}
