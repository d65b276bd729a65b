import type { TraceAnswer } from "../../api/types";
import { visibleLine } from "../../lib/format";
import { clauseFor } from "../../lib/query";
import { localStamp, toRfc3339 } from "../../lib/time";
import { nanos } from "../../lib/trace/scale";
import type { Trace } from "../../lib/trace/tree";
import { tracesAddress } from "../../lib/trace/search";
import { SHOWS, SPANS, formatTrace, type TraceView } from "../../lib/trace/view";
import { logsAddress } from "../../lib/url";
import { t } from "../../strings";
import { Icon, IconButton } from "../Icon";
import { Link } from "../Nav";
import { CopyButton } from "../RecordPanel";
import { Visible } from "../Visible";

interface ToolsProps {
  view: TraceView;
  update(patch: Partial<TraceView>): void;
  found: number;
  rows: number;
  findNext(): void;
  nextError: (() => void) | undefined;
  foldAll(): void;
}

export function TraceTools({ view, update, found, rows, findNext, nextError, foldAll }: ToolsProps) {
  return (
    <div className="trace-tools">
      <Find view={view} update={update} found={found} all={rows} next={findNext} />
      <IconButton name="lines" label={t.trace.showLogs} pressed={view.logs} onClick={() => update({ logs: !view.logs })} />
      <IconButton name="trace" label={t.trace.showPath} pressed={view.path} onClick={() => update({ path: !view.path })} />
      <IconButton name="fold" label={view.folded ? t.trace.unfold : t.trace.fold} pressed={view.folded} onClick={foldAll} />
      {nextError && <IconButton name="warn" label={t.trace.nextError} onClick={nextError} />}
      {view.zoom !== null && <IconButton name="zoomOut" label={t.trace.zoomOut} onClick={() => update({ zoom: null })} />}
      <CopyButton label={t.trace.copyLink} icon="link" text={() => window.location.href} />
    </div>
  );
}

interface FindProps extends Pick<ToolsProps, "view" | "update" | "found"> {
  all: number;
  next(): void;
}

export function Find({ view, update, found, all, next }: FindProps) {
  return (
    <div className="search trace-find" role="search">
      <Icon name="search" />
      <div className="search-field">
        <input
          id="find" type="text" value={view.find} placeholder={t.trace.find} aria-label={t.trace.find} spellCheck={false} autoComplete="off"
          onChange={(event) => update({ find: event.target.value })} onKeyDown={(event) => { if (event.key === "Enter") next(); }}
        />
      </div>
      {view.find && <span className="muted trace-matches" role="status">{found > 0 ? t.trace.matches(found, all) : t.trace.noMatch}</span>}
      {view.find && <IconButton name="down" label={t.trace.nextMatch} disabled={found === 0} onClick={next} />}
      {view.find && <IconButton name="close" label={t.search.clear} onClick={() => update({ find: "" })} />}
    </div>
  );
}

/** Which trace it is, and what is not of it here. */
export function TraceHead({ answer, trace, view, update }: { answer: TraceAnswer; trace: Trace; view: TraceView; update(patch: Partial<TraceView>): void }) {
  const root = trace.roots[0]?.span;
  const more = SPANS.find((most) => most > view.most);
  const orphans = trace.nodes.filter((node) => node.orphan).length;
  return (
    <section className="trace-head" aria-label={t.trace.about}>
      <h1 className="ellipsis" title={root && visibleLine(`${root.service} ${root.name}`.slice(0, 500))}>
        <bdi className="muted"><Visible text={root?.service.slice(0, 200) || t.trace.unnamed} /></bdi> <bdi><Visible text={root ? root.name.slice(0, 300) || t.traces.noName : t.trace.noSpans} /></bdi>
      </h1>
      <p className="trace-facts">
        {root && <strong>{nanos(trace.length)}</strong>}
        {root && <time dateTime={root.time} title={t.time.utc(toRfc3339(trace.startNs))}>{localStamp(trace.startNs)}</time>}
        <span className={trace.errors > 0 ? "text-error" : "muted"}>{t.trace.errors(trace.errors)}</span>
        <Link to={traceLogs(answer, trace)}>{t.trace.allLogs} ({t.trace.logs(answer.logs.length)}{answer.more_logs && "+"})</Link>
        <Link to={othersAddress(answer.trace_id, trace)}>{t.compare.with}</Link>
        <code className="muted ellipsis">{answer.trace_id}</code>
        <Shows id={answer.trace_id} view={view} />
      </p>
      {answer.more_spans && (
        <p className="trace-note text-warn" role="status">
          {t.trace.moreSpans(answer.spans.length)}{" "}
          {more && <button type="button" className="button" onClick={() => update({ most: more })}>{t.trace.loadMore(more)}</button>}
        </p>
      )}
      {answer.more_logs && <p className="trace-note text-warn">{t.trace.moreLogs(answer.logs.length)}</p>}
      {orphans > 0 && <p className="trace-note muted">{t.trace.orphans(orphans)}</p>}
    </section>
  );
}

function Shows({ id, view }: { id: string; view: TraceView }) {
  return (
    <span className="trace-shows" role="group" aria-label={t.trace.showsLabel}>
      {SHOWS.map((show) => (
        <Link key={show} to={`/traces/${encodeURIComponent(id)}${formatTrace({ ...view, show })}`} aria-current={view.show === show ? "true" : undefined}>{t.trace.shows[show]}</Link>
      ))}
    </span>
  );
}

const BESIDE_NS = 1_800_000_000_000n;

/** Where one chooses what it is compared with: others that begin alike, within half an hour. */
function othersAddress(id: string, trace: Trace): string {
  const root = trace.roots[0]?.span;
  if (!root) return tracesAddress({ marked: id });
  return tracesAddress({ service: root.service, operation: root.name, from: toRfc3339(trace.startNs - BESIDE_NS), to: toRfc3339(trace.startNs + BESIDE_NS), marked: id });
}

const AROUND_NS = 60_000_000_000n;

/** The logs of the trace, over a time that holds it and the records that came with it. */
export function traceLogs(answer: { trace_id: string; logs?: { time_ns: string }[] }, trace: Trace, span?: string): string {
  const times = (answer.logs ?? []).map(({ time_ns }) => BigInt(time_ns));
  const spanned = trace.nodes.length > 0 ? [trace.startNs, trace.startNs + BigInt(Math.ceil(trace.length))] : [];
  const all = [...spanned, ...times];
  const first = all.reduce((low, time) => (time < low ? time : low), all[0] ?? 0n);
  const last = all.reduce((high, time) => (time > high ? time : high), all[0] ?? 0n);
  const q = [clauseFor("trace_id", answer.trace_id), ...(span === undefined ? [] : [clauseFor("span_id", span)])].join(" and ");
  return logsAddress({ q, from: toRfc3339(first - AROUND_NS), to: toRfc3339(last + AROUND_NS) });
}
