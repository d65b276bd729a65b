import { memo, useEffect, useMemo, useRef, useState } from "react";
import { visibleLine } from "../../lib/format";
import { useMedia } from "../../lib/hooks";
import { MOVE, type Move } from "../../lib/keys";
import { go } from "../../lib/place";
import { useRows } from "../../lib/rows";
import { clock, day, localStamp } from "../../lib/time";
import { barShare, nanos } from "../../lib/trace/scale";
import type { Found, Sums } from "../../lib/trace/search";
import { traceAddress } from "../../lib/trace/view";
import { t } from "../../strings";
import { Link } from "../Nav";
import { Visible } from "../Visible";
import type { AllSums } from "./useSums";

interface Props {
  traces: Found[];
  /** Those of them that go through the service that was asked for. */
  shown: Found[];
  sums: AllSums;
  marked: string;
  /** To be compared; another one, or none. */
  mark(id: string): void;
  through: string;
  stale: boolean;
  /** Changes with what was asked: then one begins at the top. */
  viewKey: string;
  paging: { more: boolean; busy: boolean; failed: boolean; next(): void };
  children: React.ReactNode;
}

const ROW_PX = 28;
const NARROW_ROW_PX = 54;
const AHEAD = 100;

export function TraceList({ traces, shown, sums, marked, mark, through, stale, viewKey, paging, children }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const narrow = useMedia("(max-width: 900px)");
  const rowPx = narrow ? NARROW_ROW_PX : ROW_PX;
  const virtual = useRows(scroller, shown.length, rowPx, 10);
  useEffect(() => { void scroller.current?.scrollTo({ top: 0 }); }, [viewKey]);
  const items = virtual.getVirtualItems();
  const last = items[items.length - 1]?.index ?? 0;
  const left = traces.length - shown.length;
  const { more, busy, failed, next } = paging;
  useEffect(() => {
    // Where most are left out, going on by itself might read all there is.
    if (more && !busy && !failed && !through && traces.length > 0 && last > shown.length - AHEAD) next();
  }, [more, busy, failed, next, last, shown.length, traces.length, through]);
  const cursor = useCursor(shown, mark, (index) => virtual.scrollToIndex(index, { align: "auto" }));
  const longest = useMemo(() => traces.reduce((most, { span }) => Math.max(most, span.duration_ms ?? 0), 0), [traces]);
  const grid = { role: "grid", "aria-rowcount": more ? -1 : shown.length, "aria-label": t.traces.list, "aria-activedescendant": cursor ? `trace-${cursor}` : undefined };
  return (
    <section className={`list traces ${stale ? "stale" : ""}`} aria-label={t.traces.list}>
      <div className="row list-head" aria-hidden="true">
        <span />
        <span>{t.traces.time}</span>
        <span>{t.traces.span}</span>
        <span title={t.traces.barTitle}>{t.traces.duration}</span>
        <span className="number">{t.traces.spans}</span>
        <span className="number">{t.traces.failed}</span>
        <span className="number">{t.traces.services}</span>
      </div>
      <div className="scroller" ref={scroller} tabIndex={0} {...(shown.length > 0 ? grid : {})} data-rows={shown.length}>
        {children}
        <div className="rows" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const found = shown[item.index];
            return found && (
              <TraceRow
                key={found.id} found={found} top={item.start} index={item.index} longest={longest} sums={sums.known.get(found.id)} noSums={sums.failed}
                active={cursor === found.id} marked={marked === found.id} mark={mark}
              />
            );
          })}
        </div>
        {traces.length > 0 && (
          <p className="list-end muted" role={failed ? "alert" : undefined}>
            {left > 0 && `${t.traces.notThrough(left, visibleLine(through))}. `}
            {failed ? t.list.failed : more ? (!through && t.traces.loadingMore) : t.traces.end}
            {(failed || (more && through !== "")) && <> <button type="button" className="button" disabled={busy} onClick={next}>{failed ? t.states.retry : t.traces.older}</button></>}
          </p>
        )}
      </div>
    </section>
  );
}

interface RowProps {
  found: Found;
  top: number;
  index: number;
  longest: number;
  sums: Sums | undefined;
  noSums: boolean;
  active: boolean;
  marked: boolean;
  mark(id: string): void;
}

const TraceRow = memo(function TraceRow({ found, top, index, longest, sums, noSums, active, marked, mark }: RowProps) {
  const { span, matched } = found;
  const ns = BigInt(span.time_ns);
  const isError = span.status_code === "error" || (sums?.errors ?? 0) > 0;
  const unknown = <span className="muted" title={noSums ? t.traces.noSums : undefined}>{noSums ? "–" : "…"}</span>;
  const name = visibleLine(`${span.service}: ${span.name}`.slice(0, 300));
  return (
    <div
      className={`row log-row trace-row edge-${isError ? "error" : "unspecified"} ${active ? "row-active" : ""}`} role="row" id={`trace-${found.id}`} data-id={found.id}
      aria-rowindex={index + 1} aria-selected={active} style={{ transform: `translateY(${top}px)` }} onClick={() => go(traceAddress(found.id))}
    >
      <span role="gridcell" className="trace-mark" onClick={(event) => event.stopPropagation()}>
        <input type="checkbox" checked={marked} tabIndex={-1} aria-label={t.compare.mark(name)} title={t.compare.markTitle} onChange={() => mark(found.id)} />
      </span>
      <time role="gridcell" dateTime={span.time} title={`${localStamp(ns)} · ${t.time.utc(span.time)}`}><span className="row-day">{day(ns)} </span>{clock(ns)}</time>
      <span role="gridcell" className="trace-name ellipsis" title={name}>
        <Link to={traceAddress(found.id)} tabIndex={-1} onClick={(event) => event.stopPropagation()}>
          <bdi className="service"><Visible text={span.service.slice(0, 200) || t.trace.unnamed} /></bdi> <bdi><Visible text={span.name.slice(0, 300) || t.traces.noName} /></bdi>
        </Link>
        {matched > 1 && <span className="muted"> {t.traces.matched(matched)}</span>}
      </span>
      <span role="gridcell" className="trace-duration">
        <span className="bar-track" aria-hidden="true">
          <span className={`bar ${isError ? "bar-error" : ""}`} style={{ width: `${barShare(span.duration_ms ?? 0, longest) * 100}%` }} />
        </span>
        <span className="bar-text">{span.duration_ms === null ? t.traces.noEnd : nanos(span.duration_ms * 1e6)}</span>
      </span>
      <span role="gridcell" className="number trace-spans" title={sums ? t.traces.sumsTitle(sums) : undefined}>{sums ? sums.spans : unknown}<span className="narrow-only"> {t.traces.spans.toLowerCase()}</span></span>
      <span role="gridcell" className={`number trace-errors ${sums?.errors ? "text-error" : "muted"}`}>{sums ? sums.errors : unknown}<span className="narrow-only"> {t.traces.failed.toLowerCase()}</span></span>
      <span role="gridcell" className="number trace-services muted">{sums ? sums.services : unknown}<span className="narrow-only"> {t.traces.services.toLowerCase()}</span></span>
    </div>
  );
});

/** The trace that the keyboard is on. */
function useCursor(shown: Found[], mark: (id: string) => void, scrollTo: (index: number) => void): string | null {
  const [cursor, setCursor] = useState<string | null>(null);
  const latest = useRef({ shown, cursor, scrollTo, mark });
  latest.current = { shown, cursor, scrollTo, mark };
  useEffect(() => {
    const onMove = (event: Event) => {
      const now = latest.current;
      const step = (event as CustomEvent<Move>).detail;
      const at = now.shown.findIndex(({ id }) => id === now.cursor);
      if (step === "mark") return void (now.shown[at] && now.mark(now.shown[at].id));
      if (step === "open") return void (now.shown[at] && go(traceAddress(now.shown[at].id)));
      const to = step === "top" ? 0 : Math.min(now.shown.length - 1, Math.max(0, at + (step === "down" ? 1 : -1)));
      const target = now.shown[to];
      if (!target) return;
      // The next key may come before this is drawn.
      now.cursor = target.id;
      setCursor(target.id);
      now.scrollTo(to);
    };
    document.addEventListener(MOVE, onMove);
    return () => document.removeEventListener(MOVE, onMove);
  }, []);
  return cursor;
}
