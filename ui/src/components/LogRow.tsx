import { memo } from "react";
import type { LogRecord } from "../api/types";
import { isNumber } from "../lib/columns";
import { millis, plainText, visibleLine } from "../lib/format";
import { accessLine, fieldValue, type AccessLine } from "../lib/record";
import { clock, day, localStamp } from "../lib/time";
import { t } from "../strings";
import { Visible } from "./Visible";

interface Props {
  record: LogRecord;
  top: number;
  index: number;
  columns: readonly string[];
  narrow: boolean;
  active: boolean;
}

/** A row shows the start of a value; the panel shows the rest. */
const CUT = 600;

function cut(text: string): string {
  return text.length > CUT ? `${text.slice(0, CUT)}…` : text;
}

/** Rows never change but for their place, so a frame of the tail renders only what is new. */
export const LogRow = memo(function LogRow({ record, top, index, columns, narrow, active }: Props) {
  const ns = BigInt(record.time_ns);
  return (
    <div
      className={`row log-row edge-${record.severity} ${active ? "row-active" : ""}`} role="row" id={`row-${record.id}`}
      data-id={record.id} aria-rowindex={index + 1} aria-selected={active} style={{ transform: `translateY(${top}px)` }}
    >
      <time role="gridcell" dateTime={record.time} title={`${localStamp(ns)} · ${t.time.utc(record.time)}`}>
        <span className="row-day">{day(ns)} </span>{clock(ns)}
      </time>
      <span role="gridcell" className={`level text-${record.severity}`}>{record.severity === "unspecified" ? "–" : record.severity}</span>
      <bdi role="gridcell" className="service ellipsis" title={visibleLine(cut(record.service))}><Visible text={cut(record.service)} /></bdi>
      {!narrow && columns.map((name) => <Cell key={name} record={record} name={name} />)}
      <Body record={record} role="gridcell" />
    </div>
  );
});

function Cell({ record, name }: { record: LogRecord; name: string }) {
  const value = fieldValue(record, name);
  if (value === undefined) return <span role="gridcell" />;
  if (value === "") return <i role="gridcell" className="muted ellipsis">{t.list.empty}</i>;
  const text = cut(plainText(value));
  return <bdi role="gridcell" className={`ellipsis ${isNumber(value) ? "number" : ""}`} title={visibleLine(text)}><Visible text={text} /></bdi>;
}

/** The message, or the short line of an access log; a cell where it stands in a row of the list. */
export function Body({ record, role }: { record: LogRecord; role?: "gridcell" }) {
  const access = accessLine(record);
  if (access) return <Access line={access} role={role} />;
  const text = record.body === null ? record.event_name : plainText(record.body);
  return <bdi role={role} className="body ellipsis" title={visibleLine(cut(text))}>{text === "" ? <i className="muted">{t.list.empty}</i> : <Visible text={cut(text)} />}</bdi>;
}

function statusClass(status: number): string {
  if (status >= 500 || status === 0) return "text-error";
  return status >= 400 ? "text-warn" : "text-ok";
}

function Access({ line, role }: { line: AccessLine; role: "gridcell" | undefined }) {
  return (
    <span role={role} className="body access ellipsis" title={visibleLine(`${line.status} ${cut(line.method)} ${cut(line.path)}`)}>
      <span className={`status ${statusClass(line.status)}`}>{line.status}</span>
      <span className="method"><Visible text={cut(line.method)} /></span>
      <bdi className="access-path"><Visible text={cut(line.path)} /></bdi>
      {line.durationMs !== null && <span className="duration">{millis(line.durationMs)}</span>}
    </span>
  );
}
