import { useEffect, useMemo, useRef, useState } from "react";
import type { TraceAnswer } from "../../api/types";
import { visibleLine } from "../../lib/format";
import { useMedia, useSettled } from "../../lib/hooks";
import { go } from "../../lib/place";
import { useRows } from "../../lib/rows";
import { criticalPath } from "../../lib/trace/critical";
import { has, logsBySpan, visibleRows, type Row } from "../../lib/trace/rows";
import { nanos, place, ticks } from "../../lib/trace/scale";
import { isError, type Node, type Trace } from "../../lib/trace/tree";
import { formatTrace, isClosed, turn, type Show, type TraceView } from "../../lib/trace/view";
import { t } from "../../strings";
import { Shell } from "../Shell";
import { LogLine, SpanLine, type Window } from "./Lines";
import { LogPanel, SpanPanel } from "./SpanPanel";
import { TraceHead, TraceTools } from "./TraceHead";

export interface Props {
  answer: TraceAnswer;
  trace: Trace;
  view: TraceView;
  update(patch: Partial<TraceView>): void;
  refresh(): void;
}

const ROW_PX = 24;
const NARROW_ROW_PX = 44;
const FOUND: ReadonlySet<Row> = new Set();

export function Waterfall({ answer, trace, view, update, refresh }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const narrow = useMedia("(max-width: 900px)");
  const rowPx = narrow ? NARROW_ROW_PX : ROW_PX;
  const logs = useMemo(() => logsBySpan(trace, answer.logs), [trace, answer]);
  const path = useMemo(() => criticalPath(trace.roots), [trace]);
  const { folded, turned } = view;
  const rows = useMemo(
    () => visibleRows(trace, isClosed({ folded, turned }), view.logs || trace.nodes.length === 0 ? logs : new Map()), [trace, folded, turned, view.logs, logs],
  );
  const find = useSettled(view.find.trim(), 150);
  const found = useMemo(() => (find === "" ? FOUND : new Set(rows.filter((row) => has(row, find)))), [rows, find]);
  const zoomed = view.zoom === null ? undefined : trace.byId.get(view.zoom);
  const window = useMemo<Window>(() => (zoomed ? { from: zoomed.start, to: Math.max(zoomed.end, zoomed.start + 1) } : { from: 0, to: Math.max(1, trace.length) }), [zoomed, trace]);

  const virtual = useRows(scroller, rows.length, rowPx, 4);
  const chosen = chosenKey(trace, view);
  const [cursor, setCursor] = useState<string | null>(chosen);
  const here = chosen ?? cursor;
  const at = useMemo(() => rows.findIndex(({ key }) => key === here), [rows, here]);
  const show = (row: Row | undefined, open: boolean) => {
    if (!row) return;
    setCursor(row.key);
    if (open) update(row.kind === "span" ? { span: row.node.span.span_id, record: null } : { record: row.record.id, span: null });
  };
  const isOpen = view.span !== null || view.record !== null;
  const moveTo = (index: number) => show(rows[Math.min(rows.length - 1, Math.max(0, index))], isOpen);
  const next = (wanted: (row: Row) => boolean) => show([...rows.slice(at + 1), ...rows.slice(0, Math.max(0, at))].find(wanted), isOpen);
  const nextError = () => showError(at, rows, trace, (node) => { update(reveal(node, view)); setCursor(`span ${node.index}`); }, next);
  // Where it is, is not why one goes there: folding lines above moves nothing else.
  useEffect(() => { if (at >= 0) virtual.scrollToIndex(at, { align: "auto" }); }, [here, virtual]);

  const row = rows[at];
  const toggle = (node: Node) => update({ turned: turn(view.turned, node.span.span_id) });
  const side = (step: "in" | "out") => {
    if (row?.kind === "span" && row.node.children.length > 0 && row.closed === (step === "in")) toggle(row.node);
    else if (step === "in") moveTo(at + 1);
    else {
      const parent = row?.kind === "span" ? row.node.parent : row?.parent;
      if (parent) show(rows.find((one) => one.kind === "span" && one.node === parent), isOpen);
    }
  };
  const foldAll = () => update({ folded: !view.folded, turned: [] });
  const close = () => update({ span: null, record: null });
  const findNext = () => { if (found.size > 0) next((one) => found.has(one)); };
  const focusFind = () => document.querySelector<HTMLInputElement>("#find")?.focus();
  const showAs = (wanted: Show) => go(location.pathname + formatTrace({ ...view, show: wanted }));
  const keys = {
    f: () => showAs("flame"), o: () => showAs("table"),
    j: () => moveTo(at + 1), k: () => moveTo(at - 1), ArrowDown: () => moveTo(at + 1), ArrowUp: () => moveTo(at - 1), Home: () => moveTo(0), End: () => moveTo(rows.length - 1),
    g: () => moveTo(0), ArrowRight: () => side("in"), ArrowLeft: () => side("out"), x: foldAll, e: nextError, n: findNext, "/": focusFind,
    l: () => update({ logs: !view.logs }), c: () => update({ path: !view.path }), "0": () => update({ zoom: null }),
    z: () => { if (row?.kind === "span") update({ zoom: row.node.span.span_id }); },
  };
  const escape = () => {
    if (isOpen) close();
    else if (view.zoom !== null) update({ zoom: null });
    else return false;
    return true;
  };
  const pick = (event: React.MouseEvent) => {
    const line = event.target instanceof Element ? event.target.closest("[data-line]") : null;
    const picked = rows[Number(line?.getAttribute("data-line") ?? -1)];
    if (!picked || document.getSelection()?.isCollapsed === false) return;
    if (picked.kind === "span" && event.target instanceof Element && event.target.closest(".fold")) toggle(picked.node);
    else show(picked, true);
  };
  const root = trace.roots[0]?.span;
  const name = visibleLine(root ? `${root.service}: ${root.name}`.slice(0, 200) : answer.trace_id);
  const grid = { role: "treegrid", "aria-rowcount": rows.length, "aria-activedescendant": at >= 0 ? `line-${at}` : undefined };
  return (
    <Shell
      title={name} keys={keys} onControls={{ Enter: () => show(row, true) }} escape={escape} help={t.trace.keys} refresh={refresh}
      tools={<TraceTools view={view} update={update} found={found.size} rows={rows.length} findNext={findNext} nextError={trace.errors > 0 ? nextError : undefined} foldAll={foldAll} />}
      footer={<span className="footer-main" data-lines={rows.length}>{t.trace.facts(trace.nodes.length, trace.services, trace.deepest + (trace.nodes.length > 0 ? 1 : 0))}</span>}
    >
      <TraceHead answer={answer} trace={trace} view={view} update={update} />
      <main className="main" id="view">
        <section className={`list waterfall ${narrow ? "waterfall-narrow" : ""}`} aria-label={t.trace.waterfall}>
          <Axis window={window} />
          <div className="scroller" ref={scroller} tabIndex={0} aria-label={t.trace.waterfall} {...grid} data-rows={rows.length} onClick={pick}>
            <div className="rows" style={{ height: virtual.getTotalSize() }}>
              {virtual.getVirtualItems().map((item) => {
                const one = rows[item.index];
                if (!one) return null;
                const shared = { top: item.start, index: item.index, window, active: item.index === at, found: found.has(one) };
                return one.kind === "log"
                  ? <LogLine key={one.key} row={one} {...shared} />
                  : <SpanLine key={one.key} node={one.node} closed={one.closed} path={view.path ? path.get(one.node) : undefined} {...shared} />;
              })}
            </div>
          </div>
        </section>
        <Details view={view} update={update} trace={trace} answer={answer} path={path} close={close} />
      </main>
    </Shell>
  );
}

function chosenKey(trace: Trace, view: TraceView): string | null {
  if (view.record !== null) return `log ${view.record}`;
  const node = view.span === null ? undefined : trace.byId.get(view.span);
  return node ? `span ${node.index}` : null;
}

/** The next error below this line; one that is folded up is folded out. */
function showError(at: number, rows: Row[], trace: Trace, unfold: (node: Node) => void, next: (wanted: (row: Row) => boolean) => void): void {
  const row = rows[at];
  const from = row === undefined ? -1 : row.kind === "span" ? row.node.index : (row.parent?.index ?? -1);
  const node = [...trace.nodes.slice(from + 1), ...trace.nodes.slice(0, from + 1)].find(isError);
  if (!node) return;
  if (rows.some((one) => one.kind === "span" && one.node === node)) next((one) => one.kind === "span" && one.node === node);
  else unfold(node);
}

/** What lies above the span folded out. */
function reveal(node: Node, view: TraceView): Partial<TraceView> {
  const closed = isClosed(view);
  let turned: readonly string[] = view.turned;
  for (let above = node.parent; above; above = above.parent) if (closed(above)) turned = turn(turned, above.span.span_id);
  return { turned, ...(view.span === null ? {} : { span: node.span.span_id }) };
}

function Axis({ window }: { window: Window }) {
  // The last would be cut off at the edge.
  const marks = ticks(window.from, window.to, 5).filter((mark) => (place(mark, mark, window)?.left ?? 1) < 0.93);
  return (
    <div className="row list-head axis-head" aria-hidden="true">
      <span>{t.trace.name}</span>
      <span className="axis-marks">
        {marks.map((mark) => <span key={mark} className="axis-mark" style={{ left: `${(place(mark, mark, window)?.left ?? 0) * 100}%` }}>{nanos(mark)}</span>)}
      </span>
    </div>
  );
}

interface DetailsProps extends Omit<Props, "refresh"> {
  path: ReturnType<typeof criticalPath>;
  close(): void;
}

function Details({ view, update, trace, answer, path, close }: DetailsProps) {
  const node = view.span === null ? undefined : trace.byId.get(view.span);
  if (node) return <SpanPanel key={node.index} node={node} trace={trace} path={path.get(node)} close={close} update={update} />;
  const record = view.record === null ? undefined : answer.logs.find(({ id }) => id === view.record);
  if (record) return <LogPanel key={record.id} record={record} close={close} update={update} trace={trace} />;
  if (view.span === null && view.record === null) return null;
  return (
    <aside className="panel" aria-label={t.trace.details}>
      <p className="pad" role="alert">{t.trace.moreNot}</p>
      <p className="pad"><button type="button" className="button" onClick={close}>{t.trace.close}</button></p>
    </aside>
  );
}
