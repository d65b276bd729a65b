import { memo } from "react";
import { plainText, visibleLine } from "../../lib/format";
import { total, type Stretch } from "../../lib/trace/critical";
import type { LogRow } from "../../lib/trace/rows";
import { nanos, place } from "../../lib/trace/scale";
import { skew } from "../../lib/trace/skew";
import { isError, type Node } from "../../lib/trace/tree";
import { t } from "../../strings";
import { Icon } from "../Icon";
import { Visible } from "../Visible";

/** The time that fills the width, in nanoseconds since the trace began. */
export interface Window {
  from: number;
  to: number;
}

interface Line {
  top: number;
  index: number;
  window: Window;
  active: boolean;
  found: boolean;
}

/** A line shows the start of a name. */
const CUT = 300;
/** Deeper lines stand no further in, so that something of their name is seen. */
const DEEPEST_INDENT = 16;
const STEP_PX = 12;
const EVENTS = 20;

const percent = (share: number) => `${(share * 100).toFixed(3)}%`;

interface SpanProps extends Line {
  node: Node;
  closed: boolean;
  path: readonly Stretch[] | undefined;
}

export const SpanLine = memo(function SpanLine({ node, closed, path, top, index, window, active, found }: SpanProps) {
  const { span, depth } = node;
  const bad = isError(node);
  const off = skew(node);
  const same = node.parent !== null && node.parent.span.service === span.service;
  const length = node.ended ? nanos(node.end - node.start) : t.traces.noEnd;
  const marks = [length, t.trace.from(nanos(node.start)), bad && t.trace.isError, off && t.trace.skewMark, path && t.trace.onPath].filter(Boolean).join(", ");
  const classes = ["row", "line", active && "row-active", found && "line-found", bad && "line-error"].filter(Boolean).join(" ");
  return (
    <div
      className={classes} role="row" id={`line-${index}`} data-line={index} aria-level={depth + 1} aria-rowindex={index + 1} aria-selected={active}
      aria-expanded={node.children.length > 0 ? !closed : undefined} style={{ transform: `translateY(${top}px)` }}
    >
      <span role="gridcell" className="line-name" title={visibleLine(`${span.service}: ${span.name}`.slice(0, CUT))}>
        <Indent depth={depth} />
        {node.children.length > 0
          ? <span className={`fold ${closed ? "" : "chevron-open"}`} title={closed ? t.trace.unfoldOne(node.below) : t.trace.foldOne}><Icon name="right" /></span>
          : <span className="fold-none" />}
        {bad && <span className="text-error line-mark" title={span.status_message ? visibleLine(span.status_message.slice(0, CUT)) : t.trace.isError}><Icon name="warn" /></span>}
        <span className="ellipsis">
          <bdi className={same ? "muted" : "service"}><Visible text={span.service.slice(0, CUT) || t.trace.unnamed} /></bdi>{" "}
          <bdi><Visible text={span.name.slice(0, CUT) || t.traces.noName} /></bdi>
        </span>
        {closed && <span className={`line-hidden ${node.errorsBelow > 0 ? "text-error" : "muted"}`}>{t.trace.hidden(node.below)}</span>}
      </span>
      <span role="gridcell" className="line-time" aria-label={marks}>
        <Bar node={node} window={window} path={path} text={length} />
        {off && <Skewed node={node} window={window} text={t.trace.skew[off.how](nanos(off.by))} />}
      </span>
    </div>
  );
});

function Indent({ depth }: { depth: number }) {
  if (depth === 0) return null;
  const steps = Math.min(depth, DEEPEST_INDENT);
  return <span className="indent" style={{ width: steps * STEP_PX }}>{depth > DEEPEST_INDENT && <span className="indent-depth">{depth}</span>}</span>;
}

function Bar({ node, window, path = [], text }: { node: Node; window: Window; path: readonly Stretch[] | undefined; text: string }) {
  const bar = place(node.start, node.end, window);
  if (!bar) return <span className="bar-away muted" style={node.start > window.to ? { right: 2 } : { left: 2 }}>{node.start > window.to ? "›" : "‹"}</span>;
  // Beside the bar, on the side that has more room; within it where neither has.
  const [before, after] = [bar.left, 1 - bar.left - bar.width];
  const where = after > 0.14 ? { left: `calc(${percent(bar.left + bar.width)} + 6px)` } : before > 0.14 ? { right: `calc(${percent(1 - bar.left)} + 6px)` } : { right: 8 };
  return (
    <>
      <span className={`bar ${isError(node) ? "bar-error" : ""} ${node.ended ? "" : "bar-open"}`} style={{ left: percent(bar.left), width: percent(bar.width) }} />
      {path.map(([from, to]) => {
        const stretch = place(from, to, window);
        return stretch && <span key={from} className="bar-path" style={{ left: percent(stretch.left), width: percent(stretch.width) }} />;
      })}
      {node.span.events.slice(0, EVENTS).map((event, index) => <EventMark key={index} at={Number(BigInt(event.time_ns) - BigInt(node.span.time_ns)) + node.start} window={window} />)}
      <span className={`bar-text ${before > 0.14 || after > 0.14 ? "" : "bar-text-in"}`} style={where}>{text}</span>
    </>
  );
}

function EventMark({ at, window }: { at: number; window: Window }) {
  const mark = place(at, at, window);
  return mark && <span className="bar-event" style={{ left: percent(mark.left) }} />;
}

/** Where the parent is, so that one sees by how much the child is beside it. */
function Skewed({ node, window, text }: { node: Node; window: Window; text: string }) {
  const parent = node.parent && place(node.parent.start, node.parent.end, window);
  return (
    <>
      {parent && <span className="bar-parent" style={{ left: percent(parent.left), width: percent(parent.width) }} />}
      <span className="bar-skew text-warn" title={text} role="img" aria-label={text}><Icon name="clock" /></span>
    </>
  );
}

export const LogLine = memo(function LogLine({ row, top, index, window, active, found }: Line & { row: LogRow }) {
  const { record, depth, at } = row;
  const mark = place(at, at, window);
  const text = record.body === null ? record.event_name : plainText(record.body);
  return (
    <div
      className={`row line line-log ${active ? "row-active" : ""} ${found ? "line-found" : ""}`} role="row" id={`line-${index}`} data-line={index} aria-level={depth + 1}
      aria-rowindex={index + 1} aria-selected={active} style={{ transform: `translateY(${top}px)` }}
    >
      <span role="gridcell" className="line-name" title={visibleLine(text.slice(0, CUT))}>
        <Indent depth={depth} />
        <span className={`level text-${record.severity}`}>{record.severity === "unspecified" ? "–" : record.severity}</span>
        <bdi className="body ellipsis"><Visible text={text.slice(0, CUT) || t.list.empty} /></bdi>
      </span>
      <span role="gridcell" className="line-time" aria-label={t.trace.from(nanos(at))}>
        {mark && <span className={`log-mark bg-${record.severity}`} style={{ left: percent(mark.left) }} />}
        {mark && <span className="bar-text muted" style={mark.left > 0.8 ? { right: `calc(${percent(1 - mark.left)} + 8px)` } : { left: `calc(${percent(mark.left)} + 8px)` }}>{nanos(at)}</span>}
      </span>
    </div>
  );
});

/** How long it held the trace up, as a time and as a share of it. */
export function held(path: readonly Stretch[], length: number): [time: string, share: string] {
  const time = total(path);
  return [nanos(time), `${length > 0 ? Math.round((time / length) * 100) : 0} %`];
}
