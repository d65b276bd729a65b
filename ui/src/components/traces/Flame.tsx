import { memo, useEffect, useMemo } from "react";
import { useWidth } from "../../lib/hooks";
import { visibleLine } from "../../lib/format";
import { useRows } from "../../lib/rows";
import { layOut, type Box, type Path, type Paths } from "../../lib/trace/paths";
import { nanos } from "../../lib/trace/scale";
import { traceAddress } from "../../lib/trace/view";
import { t } from "../../strings";
import { Link } from "../Nav";
import { Visible } from "../Visible";

export type Step = "down" | "up" | "left" | "right";

interface Props {
  paths: Paths;
  /** Fills the width. */
  top: Path | null;
  found: ReadonlySet<Path>;
  cursor: Path | null;
  setCursor(path: Path): void;
  zoom(path: Path | null): void;
  /** Told how arrow keys go from box to box: only here one knows what is drawn. */
  walk: React.RefObject<(way: Step) => void>;
}

const ROW_PX = 24;
/** What is narrower, nobody could read or point at. */
const LEAST_PX = 3;
const TEXT_PX = 28;

/** The callers above, what they call below: only rows on screen and boxes one can see are in the document. */
export function Flame({ paths, top, found, cursor, setCursor, zoom, walk }: Props) {
  const [box, width] = useWidth<HTMLDivElement>();
  const { rows, narrow } = useMemo(() => (width > 0 ? layOut(paths, top, LEAST_PX / width) : { rows: [], narrow: 0 }), [paths, top, width]);
  const ids = useMemo(() => new Map(paths.all.map((path, index) => [path, `path-${index}`])), [paths]);
  const virtual = useRows(box, rows.length, ROW_PX, 4);
  const row = cursor === null ? -1 : (rows[cursor.depth]?.some(({ path }) => path === cursor) ? cursor.depth : -1);
  useEffect(() => { if (row >= 0) virtual.scrollToIndex(row, { align: "auto" }); }, [row, cursor, virtual]);
  useEffect(() => {
    walk.current = (way) => {
      const to = stepFrom(rows, cursor, top, way);
      if (to) setCursor(to);
    };
  }, [walk, rows, cursor, top, setCursor]);
  const pick = (event: React.MouseEvent) => {
    const [at, of] = (event.target instanceof Element ? event.target.closest("[data-box]") : null)?.getAttribute("data-box")?.split(" ").map(Number) ?? [];
    const picked = rows[at ?? -1]?.[of ?? -1]?.path;
    if (picked) zoom(picked === top ? picked.parent : picked);
  };
  const about = cursor ?? top;
  return (
    <section className="list flame" aria-label={t.flame.label}>
      <div className="flame-about">{about ? <About path={about} whole={paths.weight} /> : <p className="muted">{t.flame.how}</p>}</div>
      <div
        className="scroller" ref={box} tabIndex={0} role="tree" aria-label={t.flame.label} aria-activedescendant={row >= 0 && cursor ? ids.get(cursor) : undefined}
        data-rows={rows.length} onClick={pick}
      >
        <div className="rows" role="presentation" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => rows[item.index]?.map((one, index) => (
            <PathBox
              key={ids.get(one.path)} box={one} id={ids.get(one.path)!} at={`${item.index} ${index}`} top={item.start} width={width} whole={paths.weight}
              above={item.index < (top?.depth ?? 0)} active={one.path === cursor} found={found.has(one.path)}
            />
          )))}
        </div>
      </div>
      {narrow > 0 && <p className="flame-narrow muted">{t.flame.narrow(narrow)}</p>}
    </section>
  );
}

function stepFrom(rows: Box[][], cursor: Path | null, top: Path | null, way: Step): Path | null {
  if (cursor === null || !rows[cursor.depth]?.some(({ path }) => path === cursor)) return top ?? rows[0]?.[0]?.path ?? null;
  const here = rows[cursor.depth]!;
  const at = here.findIndex(({ path }) => path === cursor);
  if (way === "up") return cursor.parent;
  if (way === "down") return rows[cursor.depth + 1]?.find(({ path }) => path.parent === cursor)?.path ?? null;
  return here[at + (way === "left" ? -1 : 1)]?.path ?? null;
}

interface BoxProps {
  box: Box;
  id: string;
  at: string;
  top: number;
  width: number;
  whole: number;
  /** It calls what fills the width. */
  above: boolean;
  active: boolean;
  found: boolean;
}

const PathBox = memo(function PathBox({ box: { path, left, width: share }, id, at, top, width, whole, above, active, found }: BoxProps) {
  const text = summary(path, whole);
  return (
    <div
      id={id} role="treeitem" aria-level={path.depth + 1} aria-selected={active} aria-label={text} title={text} data-box={at}
      className={`path ${path.errors > 0 ? "path-error" : ""} ${above ? "path-above" : ""} ${found ? "path-found" : ""} ${active ? "path-active" : ""}`}
      style={{ transform: `translateY(${top}px)`, left: `${left * 100}%`, width: `${share * 100}%` }}
    >
      {share * width >= TEXT_PX && (
        <span className="path-text ellipsis">
          <bdi className="service"><Visible text={path.service.slice(0, 100) || t.trace.unnamed} /></bdi> <bdi><Visible text={path.operation.slice(0, 200) || t.traces.noName} /></bdi>
        </span>
      )}
      <span className="path-self" style={{ width: `${path.weight > 0 ? (path.self / path.weight) * 100 : 0}%` }} />
    </div>
  );
});

function summary(path: Path, whole: number): string {
  const name = visibleLine(`${path.service || t.trace.unnamed}: ${path.operation || t.traces.noName}`.slice(0, 300));
  return t.flame.path(name, path.nodes.length, nanos(path.total), nanos(path.self), path.errors, whole > 0 ? path.weight / whole : 0);
}

function About({ path, whole }: { path: Path; whole: number }) {
  const first = path.nodes[0]!.span;
  return (
    <p className="flame-path">
      <span className="ellipsis">{summary(path, whole)}</span>
      <Link to={traceAddress(first.trace_id, first.span_id)}>{t.flame.firstSpan}</Link>
    </p>
  );
}
