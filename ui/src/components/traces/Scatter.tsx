import { useMemo, useRef, useState } from "react";
import { visibleLine } from "../../lib/format";
import { useWidth } from "../../lib/hooks";
import { go } from "../../lib/place";
import { absoluteRange, axisLabel, localStamp, tickStep } from "../../lib/time";
import { nanos } from "../../lib/trace/scale";
import { boundText, decades, durationAt, heightOf, marksOf, nearest, type Mark, type Scale } from "../../lib/trace/scatter";
import type { Found, TracesView } from "../../lib/trace/search";
import { traceAddress } from "../../lib/trace/view";
import { t } from "../../strings";
import type { AllSums } from "./useSums";

interface Props {
  traces: Found[];
  sums: AllSums;
  bounds: { fromNs: bigint; toNs: bigint };
  stale: boolean;
  update(patch: Partial<TracesView>): void;
}

const HEIGHT = 112;
const AXIS = 18;
const LEFT = 44;
const EDGE = 6;
/** So many pixels from a mark one still means it. */
const REACH = 12;
/** A shorter drag is a click. */
const DRAG = 5;

interface Point {
  x: number;
  y: number;
}

interface Drag {
  from: Point;
  to: Point;
}

/** Each trace of the list by when it began and how long it took. One path for all marks of a colour: thousands cost no more than one. */
export function Scatter({ traces, sums, bounds, stale, update }: Props) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [at, setAt] = useState<string | null>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const dragging = useRef<Drag | null>(null);
  const marks = useMemo(() => marksOf(traces, sums.known), [traces, sums]);
  const scale = useMemo(() => decades(marks), [marks]);
  const plot = Math.max(1, width - LEFT);
  const places = useMemo(() => marks.map((mark) => placeOf(mark, bounds, plot, scale)), [marks, bounds, plot, scale]);
  const index = marks.findIndex(({ id }) => id === at);
  const mark = marks[index];

  const point = (event: React.PointerEvent): Point => {
    const edge = box.current?.getBoundingClientRect();
    return { x: event.clientX - (edge?.left ?? 0), y: event.clientY - (edge?.top ?? 0) };
  };
  const set = (next: Drag | null) => { dragging.current = next; setDrag(next); };
  const onPointerDown = (event: React.PointerEvent) => {
    if (event.button !== 0 || marks.length === 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    set({ from: point(event), to: point(event) });
  };
  const onPointerMove = (event: React.PointerEvent) => {
    const here = point(event);
    if (dragging.current) return set({ ...dragging.current, to: here });
    const found = nearest(places, here.x, here.y, REACH);
    setAt(found === null ? null : marks[found]!.id);
  };
  const onPointerUp = (event: React.PointerEvent) => {
    const done = dragging.current;
    set(null);
    if (!done) return;
    const to = point(event);
    if (isDrag(done.from, to)) return update(boxed(done.from, to, bounds, plot, scale));
    const found = nearest(places, to.x, to.y, REACH);
    if (found !== null) go(traceAddress(marks[found]!.id));
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step !== undefined && marks.length > 0) setAt(marks[Math.min(marks.length - 1, Math.max(0, index < 0 ? (step < 0 ? marks.length - 1 : 0) : index + step))]!.id);
    else if (event.key === "Enter" && mark) go(traceAddress(mark.id));
    else if (event.key === "Escape" && mark) setAt(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const left = traces.length - marks.length;
  return (
    <section className={`histogram scatter ${stale ? "stale" : ""}`} aria-label={t.scatter.label}>
      <div
        className="histogram-plot" ref={box} tabIndex={0} role="slider" aria-label={`${t.scatter.label}. ${t.scatter.keys}`} aria-describedby="scatter-text"
        aria-valuemin={0} aria-valuemax={Math.max(0, marks.length - 1)} aria-valuenow={Math.max(0, index)} aria-valuetext={mark ? nameOf(mark) : t.scatter.count(marks.length)}
        data-marks={marks.length} data-errors={marks.filter(({ isError }) => isError).length} onKeyDown={onKeyDown}
        onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerUp={onPointerUp} onPointerCancel={() => set(null)}
        onPointerLeave={() => { if (!dragging.current) setAt(null); }}
      >
        {width > 0 && <Plot marks={marks} places={places} scale={scale} bounds={bounds} width={width} plot={plot} drag={drag} active={index} />}
        {mark && !drag && <ReadOut mark={mark} place={places[index]!} width={width} />}
      </div>
      <p className="offscreen" id="scatter-text">{t.scatter.asText}</p>
      {left > 0 && <p className="muted scatter-note">{t.scatter.noEnd(left)}</p>}
    </section>
  );
}

function isDrag(from: Point, to: Point): boolean {
  return Math.abs(to.x - from.x) >= DRAG || Math.abs(to.y - from.y) >= DRAG;
}

function placeOf(mark: Mark, { fromNs, toNs }: Props["bounds"], plot: number, scale: Scale): Point {
  const share = Number(mark.timeNs - fromNs) / Math.max(1, Number(toNs - fromNs));
  return { x: LEFT + Math.min(1, Math.max(0, share)) * plot, y: EDGE + (1 - heightOf(mark.duration, scale)) * (HEIGHT - EDGE) };
}

/** The range and the durations of a box. One that reaches the ground or the top asks for no bound there. */
function boxed(a: Point, b: Point, { fromNs, toNs }: Props["bounds"], plot: number, scale: Scale): Partial<TracesView> {
  const timeAt = (x: number) => fromNs + BigInt(Math.round(Number(toNs - fromNs) * Math.min(1, Math.max(0, (x - LEFT) / plot))));
  const shareAt = (y: number) => 1 - (y - EDGE) / (HEIGHT - EDGE);
  const [low, high] = [shareAt(Math.max(a.y, b.y)), shareAt(Math.min(a.y, b.y))];
  return {
    ...absoluteRange(timeAt(Math.min(a.x, b.x)), timeAt(Math.max(a.x, b.x))),
    ...(low > 0 ? { least: boundText(durationAt(low, scale), "least") } : {}), ...(high < 1 ? { most: boundText(durationAt(high, scale), "most") } : {}),
  };
}

function nameOf({ found: { span }, timeNs, duration, isError }: Mark): string {
  return t.scatter.mark(visibleLine(`${span.service}: ${span.name}`.slice(0, 200)), nanos(duration), localStamp(timeNs), isError);
}

interface PlotProps {
  marks: Mark[];
  places: Point[];
  scale: Scale;
  bounds: Props["bounds"];
  width: number;
  plot: number;
  drag: Drag | null;
  active: number;
}

function Plot({ marks, places, scale, bounds, width, plot, drag, active }: PlotProps) {
  const dots = useMemo(() => [false, true].map((isError) => dotsOf(places.filter((_, index) => marks[index]!.isError === isError))), [marks, places]);
  const every = Math.max(1, Math.ceil((scale.high - scale.low) / 4));
  const lines = Array.from({ length: Math.floor((scale.high - scale.low) / every) + 1 }, (_, n) => scale.low + n * every);
  const here = places[active];
  return (
    <svg width={width} height={HEIGHT + AXIS} aria-hidden="true">
      {lines.map((power) => {
        const y = EDGE + (1 - (power - scale.low) / (scale.high - scale.low)) * (HEIGHT - EDGE);
        return (
          <g key={power}>
            <line className={power === scale.low ? "base" : "grid"} x1={LEFT} x2={width} y1={y} y2={y} />
            {marks.length > 0 && <text className="axis" x={LEFT - 6} y={y + 4} textAnchor="end">{nanos(10 ** power)}</text>}
          </g>
        );
      })}
      <path className="dots" d={dots[0]} />
      <path className="dots dots-error" d={dots[1]} />
      {here && <circle className="dot-here" cx={here.x} cy={here.y} r={6} />}
      {drag && isDrag(drag.from, drag.to) && (
        <rect
          className="brush" x={Math.min(drag.from.x, drag.to.x)} y={Math.min(drag.from.y, drag.to.y)} width={Math.abs(drag.to.x - drag.from.x)}
          height={Math.abs(drag.to.y - drag.from.y)}
        />
      )}
      <Times bounds={bounds} plot={plot} />
    </svg>
  );
}

/** Lines of no length with round ends: dots. */
function dotsOf(places: Point[]): string {
  return places.map(({ x, y }) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
}

function Times({ bounds: { fromNs, toNs }, plot }: { bounds: Props["bounds"]; plot: number }) {
  const range = toNs - fromNs;
  if (range <= 0n) return null;
  const every = tickStep((range * 88n) / BigInt(Math.ceil(plot)));
  const offset = BigInt(new Date().getTimezoneOffset()) * 60_000_000_000n;
  const first = ((fromNs - offset) / every + 1n) * every + offset;
  const times = Array.from({ length: Math.min(100, Number((toNs - first) / every) + 1) }, (_, n) => first + BigInt(n) * every).filter((ns) => ns <= toNs);
  return times.map((ns) => {
    const x = LEFT + (Number(ns - fromNs) / Number(range)) * plot;
    if (x < LEFT + 28 || x > LEFT + plot - 30) return null;
    return <text key={String(ns)} className="axis" x={x} y={HEIGHT + 14} textAnchor="middle">{axisLabel(ns, every, range)}</text>;
  });
}

function ReadOut({ mark, place, width }: { mark: Mark; place: Point; width: number }) {
  const { span } = mark.found;
  const style = place.x > width / 2 ? { right: width - place.x + 12 } : { left: place.x + 12 };
  return (
    <div className="readout scatter-readout" style={style}>
      <div className="readout-title ellipsis">{visibleLine(`${span.service}: ${span.name}`.slice(0, 200))}</div>
      <div className="readout-row"><span>{nanos(mark.duration)}</span>{mark.isError && <span className="text-error">{t.scatter.error}</span>}</div>
      <div className="muted">{localStamp(mark.timeNs)}</div>
    </div>
  );
}
