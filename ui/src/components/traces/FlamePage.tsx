import { useEffect, useMemo, useRef, useState } from "react";
import { useSettled } from "../../lib/hooks";
import { visibleLine } from "../../lib/format";
import { go } from "../../lib/place";
import { ancestors, hasText, mergePaths, type Path } from "../../lib/trace/paths";
import { formatTrace, type Show } from "../../lib/trace/view";
import { t } from "../../strings";
import { IconButton } from "../Icon";
import { CopyButton } from "../RecordPanel";
import { Shell } from "../Shell";
import { Card } from "../States";
import { Flame, type Step } from "./Flame";
import { OperationTable } from "./OperationTable";
import { Find, TraceHead } from "./TraceHead";
import type { Props } from "./Waterfall";

/** One trace, its calls merged: as a flame, or as a table of what was done. */
export function FlamePage({ answer, trace, view, update, refresh }: Props) {
  const paths = useMemo(() => mergePaths(trace), [trace]);
  const find = useSettled(view.find.trim(), 150);
  const found = useMemo(() => new Set(find === "" ? [] : paths.all.filter((path) => hasText(path, find))), [paths, find]);
  const zoomed = view.zoom === null ? undefined : trace.byId.get(view.zoom);
  const top = (zoomed && paths.of.get(zoomed)) ?? null;
  const [cursor, setCursor] = useState<Path | null>(null);
  useEffect(() => setCursor(null), [paths]);
  const isFlame = view.show === "flame";
  const zoom = (path: Path | null) => {
    setCursor(path);
    update({ zoom: path?.nodes[0]?.span.span_id ?? null });
  };
  const findNext = () => {
    const all = [...found];
    const next = all[(cursor === null ? -1 : all.indexOf(cursor)) + 1] ?? all[0];
    if (!next) return;
    // What lies beside that which fills the width is not drawn.
    if (top !== null && next !== top && !ancestors(next).includes(top)) update({ zoom: null });
    setCursor(next);
  };
  const show = (wanted: Show) => go(window.location.pathname + formatTrace({ ...view, show: wanted }));
  const walk = useRef<(way: Step) => void>(() => {});
  const keys = {
    w: () => show("waterfall"), f: () => show("flame"), o: () => show("table"), n: findNext, "0": () => zoom(null),
    "/": () => document.querySelector<HTMLInputElement>("#find")?.focus(),
    ...(isFlame ? { ArrowDown: () => walk.current("down"), ArrowUp: () => walk.current("up"), ArrowLeft: () => walk.current("left"), ArrowRight: () => walk.current("right") } : {}),
  };
  const escape = () => {
    if (view.zoom === null || !isFlame) return false;
    zoom(null);
    return true;
  };
  const root = trace.roots[0]?.span;
  const name = visibleLine(root ? `${root.service}: ${root.name}`.slice(0, 200) : answer.trace_id);
  return (
    <Shell
      title={name} keys={keys} onControls={{ Enter: () => { if (isFlame && cursor) zoom(cursor === top ? null : cursor); } }} escape={escape} help={t.flame.keys} refresh={refresh}
      tools={
        <div className="trace-tools">
          <Find view={view} update={update} found={found.size} all={paths.all.length} next={findNext} />
          {isFlame && view.zoom !== null && <IconButton name="zoomOut" label={t.trace.zoomOut} onClick={() => zoom(null)} />}
          <CopyButton label={t.trace.copyLink} icon="link" text={() => window.location.href} />
        </div>
      }
      footer={<span className="footer-main" data-paths={paths.all.length}>{t.flame.facts(trace.nodes.length, paths.all.length)}</span>}
    >
      <TraceHead answer={answer} trace={trace} view={view} update={update} />
      <main className="main" id="view">
        {trace.nodes.length === 0 && <div className="list"><Card title={t.flame.none} text={t.trace.noSpans} action={t.trace.shows.waterfall} onAction={() => show("waterfall")} /></div>}
        {trace.nodes.length > 0 && (isFlame
          ? <Flame paths={paths} top={top} found={found} cursor={cursor} setCursor={setCursor} zoom={zoom} walk={walk} />
          : <OperationTable trace={trace} view={view} update={update} find={find} />)}
      </main>
    </Shell>
  );
}
