import { useRef, useState } from "react";
import { useDismiss } from "../lib/hooks";
import {
  QUICK_RANGES, absoluteNs, clock, day, isBound, isLive, localInput, localStamp, shift, toRfc3339, zoomOut, type Range,
} from "../lib/time";
import { t } from "../strings";
import { Icon, IconButton } from "./Icon";

interface Props {
  view: Range;
  update(patch: Range): void;
  range: { fromNs: bigint; toNs: bigint };
}

export function TimePicker({ view, update, range }: Props) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useDismiss(box, open, () => setOpen(false));
  const { fromNs, toNs } = range;
  const choose = (from: string, to: string) => {
    setOpen(false);
    update({ from, to });
  };
  return (
    <div className="time" ref={box}>
      <IconButton name="left" label={`${t.time.older} ([)`} onClick={() => update(shift(fromNs, toNs, -1))} />
      <button
        type="button" className="button time-button" aria-haspopup="dialog" aria-expanded={open}
        title={`${t.time.button}. ${t.time.utc(`${toRfc3339(fromNs)} – ${toRfc3339(toNs)}`)}`} onClick={() => setOpen(!open)}
      >
        <Icon name="clock" />
        <span className="time-text">{rangeText(view, range)}</span>
      </button>
      <IconButton name="right" label={`${t.time.newer} (])`} disabled={isLive(view)} onClick={() => update(shift(fromNs, toNs, 1))} />
      <IconButton
        name="zoomOut" label={`${t.time.zoomOut} (-)`}
        onClick={() => update(zoomOut(view, fromNs, toNs, BigInt(Date.now()) * 1_000_000n))}
      />
      <IconButton name="back" label={t.time.back} className="wide-only" onClick={() => window.history.back()} />
      {open && <TimeDialog view={view} range={range} onChoose={choose} />}
    </div>
  );
}

function rangeText(view: Range, { fromNs, toNs }: { fromNs: bigint; toNs: bigint }): string {
  if (isLive(view)) return t.time.last(view.from);
  const [from, to] = [absoluteNs(view.from) ?? fromNs, absoluteNs(view.to) ?? toNs];
  const short = to - from < 10_000_000_000n;
  const sameDay = day(from) === day(to);
  return t.time.fromTo(`${day(from)} ${clock(from, short)}`, `${sameDay ? "" : `${day(to)} `}${clock(to, short)}`);
}

interface DialogProps {
  view: Range;
  range: { fromNs: bigint; toNs: bigint };
  onChoose(from: string, to: string): void;
}

function TimeDialog({ view, range, onChoose }: DialogProps) {
  const shown = (bound: string, ns: bigint) => (isLive(view) ? bound : localInput(absoluteNs(bound) ?? ns));
  const [from, setFrom] = useState(() => shown(view.from, range.fromNs));
  const [to, setTo] = useState(() => shown(view.to, range.toNs));
  const [tried, setTried] = useState(false);
  const bad = { from: !isBound(from.trim()), to: !isBound(to.trim()) };
  const [fromNs, toNs] = [absoluteNs(from), absoluteNs(to)];
  const backwards = fromNs !== null && toNs !== null && fromNs >= toNs;
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!bad.from && !bad.to && !backwards) onChoose(asBound(from), asBound(to));
  };
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <div className="popover time-dialog" role="dialog" aria-label={t.time.button}>
      <div className="time-quick" role="group" aria-label={t.time.quick}>
        {QUICK_RANGES.map((quick) => (
          <button
            key={quick} type="button" aria-pressed={isLive(view) && view.from === quick} onClick={() => onChoose(quick, "now")}
          >
            {t.time.last(quick)}
          </button>
        ))}
      </div>
      <form className="time-form" onSubmit={submit} aria-label={t.time.absolute}>
        <TimeField label={t.time.from} value={from} onChange={setFrom} fault={tried && bad.from ? t.time.invalid : tried && backwards ? t.time.backwards : ""} />
        <TimeField label={t.time.to} value={to} onChange={setTo} fault={tried && bad.to ? t.time.invalid : ""} />
        <p className="muted">{t.time.hint}</p>
        <button type="submit" className="button primary">{t.time.apply}</button>
        <p className="muted">{t.time.zone(zone)}</p>
      </form>
    </div>
  );
}

/** What a person typed in local time becomes UTC, so that a link means the same everywhere. */
function asBound(text: string): string {
  const ns = absoluteNs(text.trim());
  return ns === null ? text.trim() : toRfc3339(ns);
}

function TimeField({ label, value, onChange, fault }: { label: string; value: string; onChange(v: string): void; fault: string }) {
  const ns = absoluteNs(value);
  return (
    <label className="time-field">
      <span>{label} <em role="alert">{fault}</em></span>
      <input
        type="text" value={value} spellCheck={false} autoComplete="off" aria-invalid={fault !== ""}
        title={ns === null ? "" : `${localStamp(ns)}, ${t.time.utc(toRfc3339(ns))}`} onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}
