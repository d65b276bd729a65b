import { useMemo } from "react";
import { whole } from "../../lib/format";
import { BY, operations, sortOperations, type By, type Operation } from "../../lib/trace/operations";
import { hasText } from "../../lib/trace/paths";
import { nanos } from "../../lib/trace/scale";
import type { Trace } from "../../lib/trace/tree";
import type { TraceView } from "../../lib/trace/view";
import { t } from "../../strings";
import { Icon } from "../Icon";
import { Visible } from "../Visible";

interface Props {
  trace: Trace;
  view: TraceView;
  update(patch: Partial<TraceView>): void;
  find: string;
}

/** More rows nobody reads; sorting and finding reach the others. */
const ROWS = 1000;

/** What was done in a trace, from wherever it was called. */
export function OperationTable({ trace, view, update, find }: Props) {
  const all = useMemo(() => operations(trace), [trace]);
  const sorted = useMemo(() => sortOperations(all, view.by, view.byTurned), [all, view.by, view.byTurned]);
  const matching = useMemo(() => (find === "" ? sorted : sorted.filter((one) => hasText(one, find))), [sorted, find]);
  const sort = (by: By) => update(by === view.by ? { byTurned: !view.byTurned } : { by, byTurned: false });
  return (
    <div className="table services-table operations" role="region" aria-label={t.trace.shows.table} tabIndex={0} data-rows={matching.length}>
      <table>
        <caption className="offscreen">{t.operations.caption}</caption>
        <thead>
          <tr>
            {BY.map((by) => {
              const isUp = (by === "operation") !== (view.by === by && view.byTurned);
              return (
                <th key={by} scope="col" className={by === "operation" ? "" : "number"} aria-sort={view.by === by ? (isUp ? "ascending" : "descending") : undefined} title={t.operations.about[by]}>
                  <button type="button" className="sort" onClick={() => sort(by)}>
                    {t.operations.heads[by]}
                    <span className={view.by === by ? "" : "sort-none"}><Icon name={isUp ? "up" : "down"} /></span>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{matching.slice(0, ROWS).map((one) => <OperationRow key={`${one.service}\0${one.operation}`} one={one} />)}</tbody>
      </table>
      {matching.length > ROWS && <p className="pad muted">{t.trace.notDrawn(matching.length - ROWS)}</p>}
      {matching.length === 0 && <p className="pad muted" role="status">{t.operations.noMatch}</p>}
    </div>
  );
}

function OperationRow({ one }: { one: Operation }) {
  return (
    <tr>
      <th scope="row" className="what">
        <bdi className="service"><Visible text={one.service.slice(0, 200) || t.trace.unnamed} /></bdi> <bdi><Visible text={one.operation.slice(0, 300) || t.traces.noName} /></bdi>
      </th>
      <td className="number">{whole(one.count)}</td>
      <td className="number">{nanos(one.total)}</td>
      <td className="number">{nanos(one.self)}</td>
      <td className="number">{nanos(one.p95)}</td>
      <td className={`number ${one.errors > 0 ? "text-error" : "muted"}`}>{whole(one.errors)}</td>
    </tr>
  );
}
