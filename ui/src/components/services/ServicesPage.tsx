import { useCallback, useMemo, useState } from "react";
import { api } from "../../api/client";
import { ERRORS, useServices } from "../../api/queries";
import { focusSearch } from "../../lib/keys";
import { busiest, join, named, newestErrors, type NewestError, type Row } from "../../lib/graph/join";
import { SHOWS, formatServices, isServicesStep, parseServices, type ServicesView, type Show } from "../../lib/graph/view";
import { useViewOf, type Codec } from "../../lib/place";
import { shift, zoomOut } from "../../lib/time";
import { t } from "../../strings";
import { SearchBar } from "../SearchBar";
import { Shell, useBounds } from "../Shell";
import { Card, Failure } from "../States";
import { TimePicker } from "../TimePicker";
import { Details } from "./Details";
import { ServiceMap } from "./ServiceMap";
import { CallsTable, ServicesTable } from "./Tables";

const CODEC: Codec<ServicesView> = { parse: parseServices, format: formatServices, isStep: isServicesStep };
const ABOUT = { label: t.services.searchLabel, placeholder: t.services.placeholder, values: api.spanValues };
const NONE: ReadonlyMap<string, NewestError> = new Map();

/** Every service, and who calls whom, over a range. */
export function ServicesPage() {
  const [view, update] = useViewOf(CODEC);
  const [run, setRun] = useState(0);
  const refresh = useCallback(() => setRun((n) => n + 1), []);
  const { services, graph, bounds, errors } = useServices({ q: view.q, from: view.from, to: view.to }, run);
  const range = useBounds(view, bounds.data);
  const newest = useMemo(() => (errors.data ? newestErrors(errors.data.logs, errors.data.spans) : NONE), [errors.data]);
  const rows = useMemo(() => join(services.data?.services ?? [], graph.data?.edges ?? [], newest), [services.data, graph.data, newest]);
  const edges = graph.data?.edges ?? [];
  const error = services.error ?? graph.error;
  const ready = services.data && graph.data;
  const close = () => update({ service: "", caller: "" });
  const keys = {
    "/": focusSearch, s: () => update({ show: "table" }), m: () => update({ show: "map" }), c: () => update({ show: "calls" }),
    "[": () => update(shift(range.fromNs, range.toNs, -1)), "]": () => update(shift(range.fromNs, range.toNs, 1)),
    "-": () => update(zoomOut(view, range.fromNs, range.toNs, BigInt(Date.now()) * 1_000_000n)),
  };
  const escape = () => {
    if (!view.service) return false;
    close();
    return true;
  };
  const shared = { view, update };
  return (
    <Shell
      title={t.pages.services} keys={keys} escape={escape} help={t.services.keys} refresh={refresh} error={error}
      tools={
        <>
          <SearchBar view={view} update={update} fields={[]} error={error} refresh={refresh} about={ABOUT} />
          <TimePicker view={view} update={update} range={range} />
        </>
      }
      footer={ready && !error && (
        <span className="footer-main" data-services={services.data.services.length}>
          {t.services.shown(services.data.services.length, services.data.more)}, {t.services.edges(edges.length, graph.data.more)}
        </span>
      )}
    >
      <main className="main" id="view">
        <section className={`list services ${services.isPlaceholderData || graph.isPlaceholderData ? "stale" : ""}`}>
          <h1 className="offscreen">{t.pages.services}</h1>
          <Shows {...shared} />
          <div className="services-body" role="tabpanel" id="services-body" aria-labelledby={`show-${view.show}`}>
            {error && <Failure error={error} refresh={refresh} />}
            {!error && !ready && <div className="state-quiet muted" role="status">{t.services.loading}…</div>}
            {!error && ready && rows.length === 0 && <Nothing {...shared} />}
            {!error && ready && rows.length > 0 && <Shown {...shared} rows={rows} edges={edges} all={errors.data?.all ?? false} />}
          </div>
        </section>
        {!error && ready && view.service && <Details {...shared} rows={rows} edges={edges} close={close} />}
      </main>
    </Shell>
  );
}

type Shared = { view: ServicesView; update(patch: Partial<ServicesView>): void };

function Shows({ view, update }: Shared) {
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = step && SHOWS[(SHOWS.indexOf(view.show) + step + SHOWS.length) % SHOWS.length];
    if (!next) return;
    event.preventDefault();
    update({ show: next });
    document.getElementById(`show-${next}`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" onKeyDown={onKeyDown}>
      {SHOWS.map((show: Show) => (
        <button
          key={show} id={`show-${show}`} type="button" role="tab" aria-selected={view.show === show} aria-controls="services-body" tabIndex={view.show === show ? 0 : -1}
          onClick={() => update({ show })}
        >
          {t.services.shows[show]}
        </button>
      ))}
    </div>
  );
}

function Nothing({ view, update }: Shared) {
  if (view.q) return <Card title={t.services.nothing} action={t.services.clear} onAction={() => update({ q: "" })} />;
  return <Card title={t.services.none} text={t.services.noneText} action={t.traces.widen} onAction={() => update({ from: "-24h", to: "now" })} />;
}

interface ShownProps extends Shared {
  rows: Row[];
  edges: Parameters<typeof named>[0];
  /** Whether the newest errors are all errors of the range. */
  all: boolean;
}

function Shown({ view, update, rows, edges, all }: ShownProps) {
  const drawn = useMemo(() => busiest(named(edges), rows), [edges, rows]);
  if (view.show === "table") return <ServicesTable rows={rows} view={view} update={update} noError={all ? null : ERRORS} />;
  if (view.show === "calls") return <CallsTable edges={edges} view={view} update={update} />;
  const nameless = edges.length - named(edges).length;
  return <ServiceMap drawn={drawn} rows={rows} view={view} update={update} left={{ nodes: rows.length - drawn.names.length, edges: edges.length - nameless - drawn.edges.length, nameless }} />;
}
