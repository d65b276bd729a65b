import type { Edge, MtlsState } from "../../api/types";
import { compact, millis, visibleLine, whole } from "../../lib/format";
import { SORTS, crosses, isText, meshesOf, sorted, type Named, type NewestError, type Row, type Sort } from "../../lib/graph/join";
import { edgeLogs, edgeTraces, serviceLogs, serviceTraces, type ServicesView } from "../../lib/graph/view";
import { clauseFor } from "../../lib/query";
import { clock, day, localStamp, toRfc3339 } from "../../lib/time";
import { traceAddress } from "../../lib/trace/view";
import { logsAddress } from "../../lib/url";
import { t } from "../../strings";
import { Icon } from "../Icon";
import { Link } from "../Nav";
import { Visible } from "../Visible";

interface Props {
  view: ServicesView;
  update(patch: Partial<ServicesView>): void;
}

const CUT = 200;
/** From here on an error rate is worth red. */
const BAD = 0.01;

export function ServicesTable({ rows, view, update, noError }: Props & { rows: Row[]; noError: number | null }) {
  const sort = (by: Sort) => update(by === view.sort ? { turned: !view.turned } : { sort: by, turned: false });
  const most = rows.reduce((high, { stats }) => Math.max(high, stats?.requests ?? 0), 1);
  return (
    <div className="table services-table" role="region" aria-label={t.services.shows.table} tabIndex={0}>
      <table>
        <caption className="offscreen">{t.services.shows.table}</caption>
        <thead>
          <tr>
            {SORTS.map((by) => (
              <th key={by} scope="col" className={isNumber(by) ? "number" : ""} aria-sort={view.sort === by ? (view.turned === isText(by) ? "descending" : "ascending") : undefined}>
                <button type="button" className="sort" title={t.services.sortBy(t.services.heads[by])} onClick={() => sort(by)}>
                  {t.services.heads[by]}
                  <span className={view.sort === by ? "" : "sort-none"}><Icon name={(view.sort === by && view.turned) === isText(by) ? "down" : "up"} /></span>
                </button>
              </th>
            ))}
            <th scope="col">{t.services.go}</th>
          </tr>
        </thead>
        <tbody>
          {sorted(rows, view.sort, view.turned).map((row) => <ServiceRow key={row.name} row={row} view={view} update={update} most={most} noError={noError} />)}
        </tbody>
      </table>
    </div>
  );
}

function isNumber(by: Sort): boolean {
  return by !== "name" && by !== "mtls" && by !== "mesh" && by !== "newest";
}

function ServiceRow({ row, view, update, most, noError }: Props & { row: Row; most: number; noError: number | null }) {
  const { name, stats } = row;
  const shown = visibleLine(name.slice(0, CUT)) || t.services.noName;
  const open = view.service === name && view.caller === "";
  return (
    <tr className={open ? "row-active" : ""} data-service={name}>
      <th scope="row" className="what">
        <button type="button" className="plain ellipsis" aria-expanded={open} title={t.services.details(shown)} onClick={() => update({ service: open ? "" : name, caller: "" })}>
          <bdi><Visible text={name.slice(0, CUT) || t.services.noName} /></bdi>
        </button>
      </th>
      {stats ? (
        <>
          <td className="number requests" title={`${t.services.requests(stats.requests)}, ${t.services.perSecond(stats.rate)}`}>
            <span className="requests-bar" style={{ width: `${(stats.requests / most) * 100}%` }} aria-hidden="true" />
            {compact(stats.requests)}
          </td>
          <ErrorCell of={stats} />
          <Times of={stats} />
        </>
      ) : <td colSpan={5} className="muted">{t.services.onlyCalled}</td>}
      <td><MtlsMark state={row.mtls} /></td>
      <td>{row.mesh === null ? <span className="muted" title={t.services.mtlsUnknownTitle}>{t.services.mtlsUnknown}</span> : <bdi><Visible text={row.mesh.slice(0, CUT)} /></bdi>}</td>
      <td className="what newest"><Newest error={row.newest} service={name} view={view} noError={noError} /></td>
      <td className="go">
        <Link to={serviceLogs(name, view)} aria-label={t.services.logsOf(shown)}>{t.services.logs}</Link>
        <Link to={serviceTraces(name, view)} aria-label={t.services.tracesOf(shown)}>{t.services.traces}</Link>
      </td>
    </tr>
  );
}

function ErrorCell({ of }: { of: { errors: number; error_ratio: number } }) {
  const text = t.services.percent(of.error_ratio);
  const colour = of.errors === 0 ? "muted" : of.error_ratio >= BAD ? "text-error" : "";
  return <td className={`number ${colour}`} title={t.services.errorsOf(of.errors, text)}>{text}</td>;
}

function Times({ of: { duration_ms: durations } }: { of: Pick<Edge, "duration_ms"> }) {
  return (["p50", "p95", "p99"] as const).map((which) => {
    const ms = durations[which];
    return <td key={which} className="number" title={ms === null ? t.services.noDuration : undefined}>{ms === null ? <span className="muted">–</span> : millis(ms)}</td>;
  });
}

const MTLS_CLASS: { [state in MtlsState]: string } = { proven: "text-ok", claimed: "muted", unproven: "text-warn", plaintext: "text-error" };

export function MtlsMark({ state }: { state: MtlsState | null }) {
  if (state === null) return <span className="muted" title={t.services.mtlsUnknownTitle}>{t.services.mtlsUnknown}</span>;
  return (
    <span className={`mtls ${MTLS_CLASS[state]}`} title={t.services.mtlsTitle[state]}>
      <Icon name={state === "proven" || state === "claimed" ? "locked" : "unlocked"} /> {t.services.mtls[state]}
    </span>
  );
}

interface NewestProps {
  error: NewestError | null;
  service: string;
  view: ServicesView;
  noError: number | null;
}

function Newest({ error, service, view, noError }: NewestProps) {
  if (error === null) return <span className="muted" title={noError === null ? t.services.noErrorTitle : t.services.perhapsTitle(noError)}>{noError === null ? t.services.noError : t.services.perhaps}</span>;
  const { record, span, timeNs, text } = error;
  const asked = { q: `${clauseFor("service.name", service)} and (severity:error or severity:fatal)`, from: view.from, to: view.to };
  const list = logsAddress(asked);
  const to = record ? `${list}${list.includes("?") ? "&" : "?"}record=${encodeURIComponent(record.id)}` : span ? traceAddress(span.trace_id, span.span_id) : list;
  return (
    <Link to={to} title={visibleLine(`${localStamp(timeNs)} · ${t.time.utc(toRfc3339(timeNs))} · ${text.slice(0, CUT)}`)}>
      <time dateTime={toRfc3339(timeNs)}>{recent(timeNs) ? clock(timeNs, false) : `${day(timeNs)} ${clock(timeNs, false)}`}</time> <bdi><Visible text={text.slice(0, CUT) || t.list.empty} /></bdi>
    </Link>
  );
}

function recent(ns: bigint): boolean {
  return Date.now() - Number(ns / 1_000_000n) < 20 * 3_600_000;
}

export function CallsTable({ edges, view, update }: Props & { edges: readonly Edge[] }) {
  const meshes = meshesOf(edges);
  const heads = t.services.calls;
  return (
    <div className="table services-table" role="region" aria-label={t.services.shows.calls} tabIndex={0}>
      <table>
        <caption className="offscreen">{t.services.shows.calls}</caption>
        <thead>
          <tr>
            <th scope="col">{heads.caller}</th>
            <th scope="col">{heads.callee}</th>
            <th scope="col" className="number">{heads.calls}</th>
            <th scope="col" className="number">{heads.errors}</th>
            <th scope="col" className="number">p50</th>
            <th scope="col" className="number">p95</th>
            <th scope="col" className="number">p99</th>
            <th scope="col">{heads.mtls}</th>
            <th scope="col">{heads.mesh}</th>
            <th scope="col">{heads.by}</th>
            <th scope="col">{t.services.go}</th>
          </tr>
        </thead>
        <tbody>{edges.map((edge) => <CallRow key={`${edge.caller}\0${edge.callee}`} edge={edge} meshes={meshes} view={view} update={update} />)}</tbody>
      </table>
    </div>
  );
}

function CallRow({ edge, meshes, view, update }: Props & { edge: Edge; meshes: ReadonlyMap<string, string> }) {
  const { caller, callee } = edge;
  const open = callee !== null && view.caller === caller && view.service === callee;
  const both = callee === null ? null : (edge as Named);
  return (
    <tr className={open ? "row-active" : ""} data-call={`${caller} ${callee}`}>
      <th scope="row" className="what"><span className="ellipsis"><bdi><Visible text={caller.slice(0, CUT) || t.services.noName} /></bdi></span></th>
      <td className="what">
        {callee === null
          ? <span className="muted">{t.services.noName}</span>
          : (
            <button
              type="button" className="plain ellipsis" aria-expanded={open} title={visibleLine(t.services.detailsOf(caller.slice(0, CUT), callee.slice(0, CUT)))}
              onClick={() => update(open ? { service: "", caller: "" } : { service: callee, caller })}
            >
              <bdi><Visible text={callee.slice(0, CUT) || t.services.noName} /></bdi>
            </button>
          )}
      </td>
      <td className="number" title={`${t.services.callsOf(edge.calls)}, ${t.services.perSecond(edge.rate)}`}>{whole(edge.calls)}</td>
      <ErrorCell of={edge} />
      <Times of={edge} />
      <td><MtlsMark state={edge.mtls?.state ?? null} /></td>
      <td>{t.services.mesh(edge.mesh.caller, edge.mesh.callee)}{crosses(meshes, edge) && <span className="crossing">{t.services.crossing}</span>}</td>
      <td className="muted">{t.services.seen[edge.measured_by]}</td>
      <td className="go">
        {both && <Link to={edgeLogs(both, view)}>{t.services.logs}</Link>}
        {both && <Link to={edgeTraces(both, view)}>{t.services.traces}</Link>}
      </td>
    </tr>
  );
}
