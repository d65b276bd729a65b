import { writeJson } from "../../api/json";
import type { Attributes, LogRecord, SpanEvent, SpanLink } from "../../api/types";
import { plainText, visibleLine } from "../../lib/format";
import { go } from "../../lib/place";
import { clauseFor } from "../../lib/query";
import { queryName, type Place } from "../../lib/record";
import { localStamp } from "../../lib/time";
import type { Stretch } from "../../lib/trace/critical";
import { nanos } from "../../lib/trace/scale";
import { tracesAddress } from "../../lib/trace/search";
import { skew } from "../../lib/trace/skew";
import { isError, type Node, type Trace } from "../../lib/trace/tree";
import { traceAddress, type TraceView } from "../../lib/trace/view";
import { logsAddress } from "../../lib/url";
import { t } from "../../strings";
import { FieldTable, type FieldActions } from "../FieldTable";
import { Icon, IconButton } from "../Icon";
import { LongText } from "../LongText";
import { Link } from "../Nav";
import { CopyButton } from "../RecordPanel";
import { Visible } from "../Visible";
import { held } from "./Lines";
import { traceLogs } from "./TraceHead";

interface SpanProps {
  node: Node;
  trace: Trace;
  path: readonly Stretch[] | undefined;
  close(): void;
  update(patch: Partial<TraceView>): void;
}

/** A value is looked for among all spans; the range is that of the list. */
const ACTIONS: FieldActions = { filter: (q) => go(tracesAddress({ q, from: "-24h" })) };
const EVENTS_DRAWN = 200;
const LINKS_DRAWN = 100;

export function SpanPanel({ node, trace, path, close, update }: SpanProps) {
  const { span } = node;
  const off = skew(node);
  const named = (place: Place) => (name: string) => queryName(span, place, name);
  const identity = Object.entries({
    trace_id: span.trace_id, span_id: span.span_id, "span.parent_id": span.parent_span_id, "span.trace_state": span.trace_state || null, "scope.name": span.scope.name || null,
    "scope.version": span.scope.version || null, time: span.time, end: span.end, received: span.received, id: span.id,
  }).filter((pair): pair is [string, string] => pair[1] !== null);
  return (
    <aside className="panel" aria-label={t.trace.details}>
      <PanelHead service={span.service || t.trace.unnamed} kind={span.kind} close={close} />
      <div className="panel-body" tabIndex={0} role="region" aria-label={t.trace.details}>
        <h2 className="span-name"><Visible text={span.name.slice(0, 1000) || t.traces.noName} /></h2>
        <dl className="facts">
          <div><dt>{t.trace.duration}</dt><dd>{node.ended ? nanos(node.end - node.start) : t.traces.noEnd}</dd></div>
          <div><dt>{t.trace.start}</dt><dd title={`${localStamp(BigInt(span.time_ns))} · ${t.time.utc(span.time)}`}>{t.trace.from(nanos(node.start))}</dd></div>
          <div><dt>{t.trace.status}</dt><dd className={isError(node) ? "text-error" : ""}>{span.status_code}</dd></div>
        </dl>
        {span.status_message && <LongText className="message text-error" text={span.status_message} />}
        {off && <p className="trace-note text-warn">{t.trace.skew[off.how](nanos(off.by))}</p>}
        {node.orphan && <p className="trace-note muted">{t.trace.orphan}</p>}
        {path && <p className="trace-note">{t.trace.onPathFor(...held(path, trace.length))}</p>}
        <p className="trace buttons">
          <Link className="button" to={traceLogs({ trace_id: span.trace_id }, trace, span.span_id)}><Icon name="filter" /> {t.trace.spanLogs}</Link>
          <button type="button" className="button" onClick={() => update({ zoom: span.span_id })}><Icon name="search" /> {t.trace.zoomIn}</button>
        </p>
        <Events node={node} />
        <Links links={span.links} dropped={span.dropped_links} />
        <FieldTable title={t.trace.attributes} pairs={span.attributes} actions={ACTIONS} named={named("attributes")} />
        <Dropped n={span.dropped_attributes} />
        <FieldTable title={t.trace.resource} pairs={span.resource} actions={ACTIONS} named={named("resource")} />
        <FieldTable title={t.trace.scope} pairs={span.scope.attributes} actions={ACTIONS} named={named("scope")} />
        <FieldTable title={t.trace.identity} pairs={identity} actions={ACTIONS} named={named("record")} fixed={["time", "end", "received", "id"]} />
      </div>
    </aside>
  );
}

function PanelHead({ service, kind, close }: { service: string; kind: string; close(): void }) {
  return (
    <div className="panel-head">
      <div className="panel-title">
        <bdi className="panel-service ellipsis"><Visible text={service.slice(0, 300)} /></bdi>
        <span className="muted">{kind}</span>
      </div>
      <span className="panel-tools"><IconButton name="close" label={t.trace.close} onClick={close} /></span>
    </div>
  );
}

function Dropped({ n }: { n: number }) {
  return n > 0 && <p className="muted">{t.trace.dropped(n)}</p>;
}

function Head({ title, count }: { title: string; count: number }) {
  return <div className="section-head"><h2>{title}</h2><span className="muted">{count}</span></div>;
}

function Events({ node }: { node: Node }) {
  const { events, dropped_events: dropped } = node.span;
  if (events.length === 0 && dropped === 0) return null;
  return (
    <section className="panel-section">
      <Head title={t.trace.events} count={events.length} />
      <ol className="span-events">{events.slice(0, EVENTS_DRAWN).map((event, index) => <Event key={index} event={event} since={BigInt(node.span.time_ns)} />)}</ol>
      {events.length > EVENTS_DRAWN && <p className="muted">{t.trace.notDrawn(events.length - EVENTS_DRAWN)}</p>}
      <Dropped n={dropped} />
    </section>
  );
}

function Event({ event, since }: { event: SpanEvent; since: bigint }) {
  return (
    <li className="span-event">
      <p><strong><Visible text={event.name.slice(0, 300) || t.traces.noName} /></strong> <span className="muted" title={t.time.utc(event.time)}>+{nanos(Number(BigInt(event.time_ns) - since))}</span></p>
      <Pairs pairs={event.attributes} />
      <Dropped n={event.dropped_attributes} />
    </li>
  );
}

function Links({ links, dropped }: { links: SpanLink[]; dropped: number }) {
  if (links.length === 0 && dropped === 0) return null;
  return (
    <section className="panel-section">
      <Head title={t.trace.links} count={links.length} />
      <ul className="span-events">
        {links.slice(0, LINKS_DRAWN).map((link, index) => (
          <li key={index} className="span-event">
            <p><Link className="link" to={traceAddress(link.trace_id, link.span_id)}>{t.trace.openTrace(link.trace_id)}</Link></p>
            <Pairs pairs={link.attributes} />
            <Dropped n={link.dropped_attributes} />
          </li>
        ))}
      </ul>
      {links.length > LINKS_DRAWN && <p className="muted">{t.trace.notDrawn(links.length - LINKS_DRAWN)}</p>}
      <Dropped n={dropped} />
    </section>
  );
}

const PAIRS_DRAWN = 50;

function Pairs({ pairs }: { pairs: Attributes }) {
  return (
    <dl className="pairs">
      {pairs.slice(0, PAIRS_DRAWN).map(([name, value], index) => (
        <div key={index}>
          <dt title={visibleLine(name.slice(0, 300))}><Visible text={name.slice(0, 300)} /></dt>
          <dd><LongText text={value !== null && typeof value === "object" ? writeJson(value, 2) : plainText(value)} limit={600} /></dd>
        </div>
      ))}
      {pairs.length > PAIRS_DRAWN && <div className="muted">{t.trace.notDrawn(pairs.length - PAIRS_DRAWN)}</div>}
    </dl>
  );
}

interface LogProps {
  record: LogRecord;
  trace: Trace;
  close(): void;
  update(patch: Partial<TraceView>): void;
}

/** A record of a log in its trace; the list of logs shows the rest of it. */
export function LogPanel({ record, trace, close, update }: LogProps) {
  const filter = (q: string) => go(logsAddress({ q, from: "-24h", to: "now" }));
  const span = record.span_id !== null && trace.byId.has(record.span_id) ? record.span_id : null;
  const around = { q: clauseFor("trace_id", record.trace_id), from: record.time_ns, to: String(BigInt(record.time_ns) + 1n) };
  return (
    <aside className="panel" aria-label={t.trace.logDetails}>
      <div className="panel-head">
        <div className="panel-title">
          <span className={`level text-${record.severity}`}>{record.severity}</span>
          <bdi className="panel-service ellipsis"><Visible text={record.service.slice(0, 300)} /></bdi>
          <time dateTime={record.time} title={t.time.utc(record.time)}>{localStamp(BigInt(record.time_ns))}</time>
        </div>
        <span className="panel-tools">
          <CopyButton label={t.record.copy} text={() => plainText(record.body)} />
          <IconButton name="close" label={t.trace.close} onClick={close} />
        </span>
      </div>
      <div className="panel-body" tabIndex={0} role="region" aria-label={t.trace.logDetails}>
        <LongText className="message" text={record.body === null ? record.event_name : typeof record.body === "object" ? writeJson(record.body, 2) : plainText(record.body)} />
        <p className="trace buttons">
          <Link className="button" to={`${logsAddress(around)}&record=${encodeURIComponent(record.id)}`}><Icon name="filter" /> {t.trace.openLog}</Link>
          {span !== null && <button type="button" className="button" onClick={() => update({ span, record: null })}><Icon name="trace" /> {t.trace.openSpan}</button>}
        </p>
        <FieldTable title={t.record.attributes} pairs={record.attributes} actions={{ filter }} named={(name) => queryName(record, "attributes", name)} />
        <FieldTable title={t.record.resource} pairs={record.resource} actions={{ filter }} named={(name) => queryName(record, "resource", name)} />
      </div>
    </aside>
  );
}
