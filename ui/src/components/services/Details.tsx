import type { Edge, SeenBy } from "../../api/types";
import { millis, visibleLine, whole } from "../../lib/format";
import { named, type Row } from "../../lib/graph/join";
import { edgeLogs, edgeTraces, serviceLogs, serviceTraces, type ServicesView } from "../../lib/graph/view";
import { t } from "../../strings";
import { Icon, IconButton } from "../Icon";
import { Link } from "../Nav";
import { Visible } from "../Visible";
import { MtlsMark } from "./Tables";

interface Props {
  view: ServicesView;
  update(patch: Partial<ServicesView>): void;
  rows: Row[];
  edges: readonly Edge[];
  close(): void;
}

/** A service and its calls, or one of these calls. */
export function Details({ view, update, rows, edges, close }: Props) {
  const edge = view.caller ? named(edges).find(({ caller, callee }) => caller === view.caller && callee === view.service) : undefined;
  const row = view.caller ? undefined : rows.find(({ name }) => name === view.service);
  const title = view.caller ? `${view.caller} → ${view.service}` : view.service;
  return (
    <aside className="panel" aria-label={view.caller ? t.services.callPanel : t.services.panel}>
      <div className="panel-head">
        <div className="panel-title"><bdi className="panel-service ellipsis" title={visibleLine(title.slice(0, 400))}><Visible text={title.slice(0, 400) || t.services.noName} /></bdi></div>
        <span className="panel-tools"><IconButton name="close" label={t.trace.close} onClick={close} /></span>
      </div>
      <div className="panel-body" tabIndex={0} role="region" aria-label={view.caller ? t.services.callPanel : t.services.panel}>
        {!edge && !row && <p className="muted">{t.services.gone}</p>}
        {(edge || row) && (
          <p className="trace buttons">
            <Link className="button" to={edge ? edgeLogs(edge, view) : serviceLogs(view.service, view)}><Icon name="lines" /> {t.services.logs}</Link>
            <Link className="button" to={edge ? edgeTraces(edge, view) : serviceTraces(view.service, view)}><Icon name="trace" /> {t.services.traces}</Link>
          </p>
        )}
        {edge && <Facts count={edge.calls} of={edge} mesh={t.services.mesh(edge.mesh.caller, edge.mesh.callee)} />}
        {edge && <Mtls edge={edge} />}
        {row?.stats && <Facts count={row.stats.requests} of={row.stats} />}
        {row && !row.stats && <p className="muted">{t.services.onlyCalled}</p>}
        {row && <Calls title={t.services.callersOf} edges={row.callers} name={({ caller }) => caller} update={update} />}
        {row && <Calls title={t.services.calleesOf} edges={row.callees} name={({ callee }) => callee} update={update} />}
        {(edge ?? row?.stats) && <Seen by={(edge ?? row?.stats)!.seen_by} measured={(edge ?? row?.stats)!.measured_by} />}
      </div>
    </aside>
  );
}

type Figures = Pick<Edge, "rate" | "errors" | "error_ratio" | "duration_ms">;

function Facts({ count, of, mesh }: { count: number; of: Figures; mesh?: string }) {
  const heads = t.services.facts;
  const time = (ms: number | null) => (ms === null ? "–" : millis(ms));
  return (
    <dl className="facts facts-wide">
      <div><dt>{heads.requests}</dt><dd>{whole(count)}</dd></div>
      <div><dt>{heads.rate}</dt><dd>{t.services.perSecond(of.rate)}</dd></div>
      <div><dt>{heads.errors}</dt><dd className={of.errors > 0 ? "text-error" : ""}>{whole(of.errors)} ({t.services.percent(of.error_ratio)})</dd></div>
      <div><dt>{heads.p50}</dt><dd>{time(of.duration_ms.p50)}</dd></div>
      <div><dt>{heads.p95}</dt><dd>{time(of.duration_ms.p95)}</dd></div>
      <div><dt>{heads.p99}</dt><dd>{time(of.duration_ms.p99)}</dd></div>
      {mesh && <div><dt>{heads.mesh}</dt><dd>{mesh}</dd></div>}
    </dl>
  );
}

function Mtls({ edge: { mtls } }: { edge: Edge }) {
  return (
    <section className="panel-section">
      <div className="section-head"><h2>{t.services.facts.mtls}</h2><MtlsMark state={mtls?.state ?? null} /></div>
      <p className="muted">{mtls ? t.services.mtlsTitle[mtls.state] : t.services.mtlsUnknownTitle}.</p>
      {mtls && (
        <dl className="facts">
          {(["proven", "claimed", "unproven", "plaintext"] as const).map((state) => <div key={state}><dt>{t.services.mtls[state]}</dt><dd>{whole(mtls[state])}</dd></div>)}
        </dl>
      )}
    </section>
  );
}

const CALLS_DRAWN = 50;

interface CallsProps {
  title: string;
  edges: Edge[];
  name(edge: Edge): string | null;
  update(patch: Partial<ServicesView>): void;
}

function Calls({ title, edges, name, update }: CallsProps) {
  const most = [...edges].sort((a, b) => b.calls - a.calls);
  return (
    <section className="panel-section">
      <div className="section-head"><h2>{title}</h2><span className="muted">{edges.length}</span></div>
      {edges.length === 0 && <p className="muted">{t.services.nobody}</p>}
      <ul className="call-list">
        {most.slice(0, CALLS_DRAWN).map((edge) => (
          <li key={`${edge.caller}\0${edge.callee}`}>
            <button type="button" className="call" disabled={edge.callee === null} onClick={() => update({ service: edge.callee ?? "", caller: edge.caller })}>
              <bdi className="ellipsis"><Visible text={(name(edge) ?? "").slice(0, 200) || t.services.noName} /></bdi>
              <span className="number muted">{t.services.callsOf(edge.calls)}</span>
              <span className={`number ${edge.errors > 0 ? "text-error" : "muted"}`}>{t.services.percent(edge.error_ratio)}</span>
            </button>
          </li>
        ))}
      </ul>
      {edges.length > CALLS_DRAWN && <p className="muted">{t.services.notDrawn(edges.length - CALLS_DRAWN)}</p>}
    </section>
  );
}

function Seen({ by, measured }: { by: SeenBy; measured: keyof SeenBy }) {
  const all = (Object.keys(t.services.seen) as (keyof SeenBy)[]).filter((who) => by[who] > 0);
  return (
    <section className="panel-section">
      <div className="section-head"><h2>{t.services.seenBy}</h2><span className="muted">{t.services.facts.by}: {t.services.seen[measured]}</span></div>
      <dl className="facts">{all.map((who) => <div key={who}><dt>{t.services.seen[who]}</dt><dd>{whole(by[who])}</dd></div>)}</dl>
    </section>
  );
}
