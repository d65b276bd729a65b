import { useEffect, useRef, useState } from "react";
import { useContextLines } from "../api/queries";
import type { LogRecord } from "../api/types";
import { clock } from "../lib/time";
import { t } from "../strings";
import { Body } from "./LogRow";

/** The lines around a record from the same source, whatever the search says. */
export function Surrounding({ record, open }: { record: LogRecord; open(id: string): void }) {
  const [lines, setLines] = useState(20);
  const context = useContextLines(record.id, lines, true);
  if (context.error) return <p className="pad" role="alert">{context.error.message}</p>;
  const { before = [], after = [], by = [] } = context.data ?? {};
  return (
    <div className="surrounding" aria-busy={context.isFetching}>
      <p className="muted">{context.data ? t.record.by(by) : t.states.loading}</p>
      {before.map((line) => <Line key={line.id} line={line} open={open} />)}
      <Line line={record} open={open} current settled={context.isSuccess} />
      {after.map((line) => <Line key={line.id} line={line} open={open} />)}
      {(before.length >= lines || after.length >= lines) && lines < 500 && (
        <button type="button" className="link" onClick={() => setLines(lines * 3)}>{t.record.moreLines}</button>
      )}
    </div>
  );
}

interface LineProps {
  line: LogRecord;
  open(id: string): void;
  current?: boolean;
  /** Whether the lines around it are there, so that the place is final. */
  settled?: boolean;
}

function Line({ line, open, current = false, settled = false }: LineProps) {
  const ref = useRef<HTMLButtonElement>(null);
  useEffect(() => { if (current) ref.current?.scrollIntoView({ block: "center" }); }, [current, settled]);
  return (
    <button ref={ref} type="button" className={`context-line ${current ? "context-current" : ""}`} aria-current={current} onClick={() => open(line.id)}>
      <time dateTime={line.time} title={t.time.utc(line.time)}>{clock(BigInt(line.time_ns))}</time>
      <span className={`level text-${line.severity}`}>{line.severity === "unspecified" ? "–" : line.severity}</span>
      <Body record={line} />
    </button>
  );
}
