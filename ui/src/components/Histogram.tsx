import { useEffect, useMemo, useRef, useState } from "react";
import type { Bucket, HistogramAnswer } from "../api/types";
import { compact, whole } from "../lib/format";
import { partsOf, type Part } from "../lib/groups";
import { useWidth } from "../lib/hooks";
import { axisLabel, clock, day, tickStep, toRfc3339, widthText } from "../lib/time";
import { t } from "../strings";
import { nameOf } from "./Groups";
import { Visible } from "./Visible";

const HEIGHT = 84;
const AXIS = 18;
const LEFT = 44;

interface Props {
  answer: HistogramAnswer | undefined;
  failed: boolean;
  stale: boolean;
  onZoom(fromNs: bigint, toNs: bigint): void;
  /** What is counted, if not records. */
  of?: Counted;
}

interface Counted {
  label: string;
  count(n: number): string;
}

/** First and last bucket, both included; `from` is where the drag began. */
interface Selection {
  from: number;
  to: number;
}

export function Histogram({ answer, failed, stale, onZoom, of = t.histogram }: Props) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [cursor, setCursor] = useState<number | null>(null);
  const [selection, setSelection] = useState<Selection | null>(null);
  const dragging = useRef(false);
  const buckets = answer?.buckets ?? [];
  const parts = useMemo(() => (answer ? partsOf(answer) : []), [answer]);
  const plot = Math.max(0, width - LEFT);
  const last = buckets.length - 1;
  const rangeKey = answer ? `${answer.from_ns} ${answer.bucket_ns}` : "";
  useEffect(() => { if (!dragging.current) setSelection(null); }, [rangeKey]);

  const indexAt = (clientX: number) => {
    const left = (box.current?.getBoundingClientRect().left ?? 0) + LEFT;
    return Math.min(last, Math.max(0, Math.floor(((clientX - left) / plot) * buckets.length)));
  };
  const zoom = (chosen: Selection) => {
    const first = buckets[Math.min(chosen.from, chosen.to)];
    const final = buckets[Math.max(chosen.from, chosen.to)];
    setSelection(null);
    if (answer && first && final) onZoom(BigInt(first.start_ns), BigInt(final.start_ns) + BigInt(answer.bucket_ns));
  };
  const onPointerDown = (event: React.PointerEvent) => {
    if (event.button !== 0 || buckets.length === 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    dragging.current = true;
    const at = indexAt(event.clientX);
    setSelection({ from: at, to: at });
  };
  const onPointerMove = (event: React.PointerEvent) => {
    if (buckets.length === 0) return;
    const at = indexAt(event.clientX);
    setCursor(at);
    if (dragging.current) setSelection((old) => (old && old.to !== at ? { ...old, to: at } : old));
  };
  const onPointerUp = (event: React.PointerEvent) => {
    if (!dragging.current) return;
    dragging.current = false;
    const at = indexAt(event.clientX);
    if (selection && selection.from !== at) zoom({ from: selection.from, to: at });
    else setSelection(null);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step !== undefined) {
      const next = Math.min(last, Math.max(0, (cursor ?? (step < 0 ? last + 1 : -1)) + step));
      setCursor(next);
      setSelection(event.shiftKey ? { from: selection?.from ?? cursor ?? next, to: next } : null);
    } else if (event.key === "Enter" && cursor !== null) zoom(selection ?? { from: cursor, to: cursor });
    else if (event.key === "Escape" && (selection || cursor !== null)) { setSelection(null); setCursor(null); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const readout = describe(answer, selection, cursor, of);
  return (
    <section className={`histogram ${stale ? "stale" : ""}`} aria-label={of.label}>
      <div
        className="histogram-plot" ref={box} tabIndex={0} role="slider" aria-label={`${of.label}. ${t.histogram.keys}`}
        aria-valuemin={0} aria-valuemax={Math.max(0, last)} aria-valuenow={cursor ?? 0} aria-valuetext={readout}
        onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerUp={onPointerUp}
        onPointerCancel={() => { dragging.current = false; setSelection(null); }}
        onPointerLeave={() => { if (!dragging.current) setCursor(null); }} onKeyDown={onKeyDown}
      >
        {failed && !answer && <div className="histogram-note">{t.histogram.unavailable}</div>}
        {answer && width > 0 && <Bars answer={answer} parts={parts} width={width} plot={plot} cursor={cursor} selection={selection} />}
        {cursor !== null && answer && buckets[cursor] && !selection && (
          <ReadOut answer={answer} parts={parts} at={cursor} x={LEFT + ((cursor + 0.5) / buckets.length) * plot} width={width} />
        )}
      </div>
    </section>
  );
}

interface BarsProps {
  answer: HistogramAnswer;
  parts: Part[];
  width: number;
  plot: number;
  cursor: number | null;
  selection: Selection | null;
}

function Bars({ answer, parts, width, plot, cursor, selection }: BarsProps) {
  const { buckets } = answer;
  const max = Math.max(1, ...buckets.map((bucket) => bucket.total));
  const step = plot / Math.max(1, buckets.length);
  const shown = selection && { from: Math.min(selection.from, selection.to), to: Math.max(selection.from, selection.to) };
  return (
    <svg width={width} height={HEIGHT + AXIS} aria-hidden="true">
      <line className="grid" x1={LEFT} x2={width} y1={0.5} y2={0.5} />
      <line className="grid" x1={LEFT} x2={width} y1={HEIGHT / 2 + 0.5} y2={HEIGHT / 2 + 0.5} />
      {answer.total > 0 && <text className="axis" x={LEFT - 6} y={9} textAnchor="end">{compact(max)}</text>}
      <text className="axis" x={LEFT - 6} y={HEIGHT - 1} textAnchor="end">0</text>
      {cursor !== null && <rect className="cursor" x={LEFT + cursor * step} width={step} y={0} height={HEIGHT} />}
      {buckets.map((bucket, index) => (
        <Stack key={bucket.start_ns} bucket={bucket} parts={parts} at={index} x={LEFT + index * step} width={step} max={max} />
      ))}
      {shown && (
        <rect className="brush" x={LEFT + shown.from * step} width={(shown.to - shown.from + 1) * step} y={0} height={HEIGHT} />
      )}
      <line className="base" x1={LEFT} x2={width} y1={HEIGHT + 0.5} y2={HEIGHT + 0.5} />
      <Ticks answer={answer} plot={plot} />
    </svg>
  );
}

interface StackProps {
  bucket: Bucket;
  parts: Part[];
  at: number;
  x: number;
  width: number;
  max: number;
}

function Stack({ bucket, parts, at, x, width, max }: StackProps) {
  if (bucket.total === 0) return null;
  const gap = width > 4 ? 1 : 0;
  let y = HEIGHT;
  return parts.map((part) => {
    const count = part.counts[at] ?? 0;
    if (count === 0) return null;
    // A single error among thousands must not round away to nothing.
    const height = Math.max(1, (count / max) * HEIGHT);
    y = Math.max(0, y - height);
    return <rect key={part.key} className={`fill-${part.colour}`} x={x + gap / 2} width={Math.max(1, width - gap)} y={y} height={height} />;
  });
}

function Ticks({ answer, plot }: { answer: HistogramAnswer; plot: number }) {
  const { buckets } = answer;
  const bucketNs = BigInt(answer.bucket_ns);
  const every = tickStep((bucketNs * BigInt(buckets.length * 88)) / BigInt(Math.max(1, plot)));
  const offset = BigInt(new Date().getTimezoneOffset()) * 60_000_000_000n;
  const rangeNs = BigInt(answer.to_ns) - BigInt(answer.from_ns);
  return buckets.map((bucket, index) => {
    const x = LEFT + (index / buckets.length) * plot;
    if ((BigInt(bucket.start_ns) - offset) % every >= bucketNs || x < LEFT + 28 || x > LEFT + plot - 30) return null;
    return (
      <text key={bucket.start_ns} className="axis" x={x} y={HEIGHT + 13} textAnchor="middle">
        {axisLabel(BigInt(bucket.start_ns), bucketNs, rangeNs)}
      </text>
    );
  });
}

function bucketText(answer: HistogramAnswer, fromNs: bigint, toNs: bigint): string {
  const days = BigInt(answer.to_ns) - BigInt(answer.from_ns) > 86_400_000_000_000n;
  return `${days ? `${day(fromNs)} ` : ""}${clock(fromNs, false)} – ${clock(toNs, false)}`;
}

function describe(answer: HistogramAnswer | undefined, selection: Selection | null, cursor: number | null, of: Counted): string {
  if (!answer) return "";
  const width = BigInt(answer.bucket_ns);
  const first = answer.buckets[selection ? Math.min(selection.from, selection.to) : (cursor ?? -1)];
  const final = answer.buckets[selection ? Math.max(selection.from, selection.to) : (cursor ?? -1)];
  if (!first || !final) return of.count(answer.total);
  const text = bucketText(answer, BigInt(first.start_ns), BigInt(final.start_ns) + width);
  if (!selection) return t.histogram.bucket(text, of.count(first.total));
  const from = answer.buckets.indexOf(first);
  const total = answer.buckets.slice(from, answer.buckets.indexOf(final) + 1).reduce((sum, bucket) => sum + bucket.total, 0);
  return t.histogram.selection(text, of.count(total));
}

function ReadOut({ answer, parts, at, x, width }: { answer: HistogramAnswer; parts: Part[]; at: number; x: number; width: number }) {
  const bucket = answer.buckets[at]!;
  const start = BigInt(bucket.start_ns);
  const bucketNs = BigInt(answer.bucket_ns);
  const style = x > width / 2 ? { right: width - x + 10 } : { left: x + 10 };
  return (
    <div className="readout" style={style} title={t.time.utc(toRfc3339(start))}>
      <div className="readout-title">{bucketText(answer, start, start + bucketNs)} <span className="muted">{t.histogram.per(widthText(bucketNs))}</span></div>
      <div className="readout-row"><span>{whole(bucket.total)}</span></div>
      {[...parts].reverse().map((part) => {
        const count = part.counts[at];
        return count ? (
          <div key={part.key} className="readout-row">
            <span className={`swatch bg-${part.colour}`} /><bdi className="ellipsis"><Visible text={nameOf(part).slice(0, 60)} /></bdi><span className="readout-count">{whole(count)}</span>
          </div>
        ) : null;
      })}
    </div>
  );
}
