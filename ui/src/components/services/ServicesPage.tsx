import { useCallback, useMemo, useState } from "react";
import { api } from "../../api/client";
import { ERRORS, useServices, useSpanFields } from "../../api/queries";
import { focusSearch } from "../../lib/keys";
import { busiest, join, meshesOf, named, newestErrors, type NewestError, type Row } from "../../lib/graph/join";
import { SHOWS, STEPS, formatServices, isServicesStep, parseServices, stepRange, type ServicesView, type Show } from "../../lib/graph/view";
import { useViewOf, type Codec } from "../../lib/place";
import { useSettled } from "../../lib/hooks";
import { absoluteRange, shift, zoomOut } from "../../lib/time";
import { t } from "../../strings";
import { SearchBar } from "../SearchBar";
import { Shell, useBounds } from "../Shell";
import { Card, Failure } from "../States";
import { TimePicker } from "../TimePicker";
import { Details } from "./Details";
import { ServiceMap } from "./ServiceMap";
import { CallsTable, ServicesTable } from "./Tables";
import { TimeStep } from "./TimeStep";

const CODEC: Codec<ServicesView> = { parse: parseServices, format: formatServices, isStep: isServicesStep };
const ABOUT = { label: t.services.searchLabel, placeholder: t.services.placeholder, values: api.spanValues };
const NONE: ReadonlyMap<string, NewestError> = new Map();

/** So long one stays at a step of the slider until it is asked for, because keys and fingers pass over many. */
const STAY_MS = 120;

/** Every service, and who calls whom, over a range or in a part of it. */
export function ServicesPage() {
  const [view, update] = useViewOf(CODEC);
  const [run, setRun] = useState(0);
  const refresh = useCallback(() => setRun((n) => n + 1), []);
  const step = useSettled(view.step, STAY_MS);
  const shown = useMemo(() => within({ ...view, step }), [view, step]);
  const whole = useServices({ q: view.q, from: view.from, to: view.to }, run);
  const { services, graph, errors } = useServices({ q: view.q, from: shown.from, to: shown.to }, run);
  const range = useBounds(view, whole.services.data);
  const newest = useMemo(() => (errors.data ? newestErrors(errors.data.logs, errors.data.spans) : NONE), [errors.data]);
  const rows = useMemo(() => join(services.data?.services ?? [], graph.data?.edges ?? [], newest), [services.data, graph.data, newest]);
  const edges = graph.data?.edges ?? [];
  // The map stays where it is while one goes through the time.
  const base = useMemo(() => ({ edges: whole.graph.data?.edges ?? [], rows: join(whole.services.data?.services ?? [], whole.graph.data?.edges ?? [], NONE) }), [whole.services.data, whole.graph.data]);
  const error = services.error ?? graph.error;
  const ready = services.data && graph.data;
  // On the map those that stand still are drawn too.
  const isEmpty = rows.length === 0 && (step === 0 || view.show !== "map" || base.rows.length === 0);
  const fields = useSpanFields(view, run, ready !== undefined);
  const close = () => update({ service: "", caller: "" });
  const keys = {
    "/": focusSearch, s: () => update({ show: "table" }), m: () => update({ show: "map" }), c: () => update({ show: "calls" }),
    "[": () => update({ ...shift(range.fromNs, range.toNs, -1), step: 0 }), "]": () => update({ ...shift(range.fromNs, range.toNs, 1), step: 0 }),
    "-": () => update(zoomOut(view, range.fromNs, range.toNs, BigInt(Date.now()) * 1_000_000n)),
    ",": () => toStep(view.step === 0 ? STEPS : Math.max(view.step - 1, 1)), ".": () => toStep(Math.min(view.step + 1, STEPS)),
  };
  const toStep = (to: number) => update(stepped(view, range, to));
  const escape = () => {
    if (!view.service) return false;
    close();
    return true;
  };
  const shared = { view: shown, update };
  return (
    <Shell
      title={t.pages.services} keys={keys} escape={escape} help={t.services.keys} refresh={refresh} error={error}
      tools={
        <>
          <SearchBar view={view} update={update} fields={fields} error={error} refresh={refresh} about={ABOUT} />
          <TimePicker view={view} update={(patch) => update({ ...patch, step: 0 })} range={range} />
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
          <div className="services-head">
            <Shows {...shared} />
            {ready && !error && (rows.length > 0 || view.step > 0) && <TimeStep step={view.step} part={stepRange(view)} range={range} choose={toStep} />}
          </div>
          <div className="services-body" role="tabpanel" id="services-body" aria-labelledby={`show-${view.show}`}>
            {error && <Failure error={error} refresh={refresh} />}
            {!error && !ready && <div className="state-quiet muted" role="status">{t.services.loading}…</div>}
            {!error && ready && isEmpty && <Nothing {...shared} />}
            {!error && ready && !isEmpty && <Shown {...shared} rows={rows} edges={edges} base={step > 0 ? base : { edges, rows }} all={errors.data?.all ?? false} />}
          </div>
        </section>
        {!error && ready && view.service && <Details {...shared} rows={rows} edges={edges} close={close} />}
      </main>
    </Shell>
  );
}

/** The view of the part of the range that is shown. */
function within(view: ServicesView): ServicesView {
  const part = stepRange(view);
  return part ? { ...view, ...absoluteRange(part.fromNs, part.toNs) } : view;
}

/** A step is one of a range that stays where it is, so that the address shows the same to others. */
function stepped(view: ServicesView, { fromNs, toNs }: { fromNs: bigint; toNs: bigint }, step: number): Partial<ServicesView> {
  return step === 0 || stepRange({ ...view, step }) !== null ? { step } : { ...absoluteRange(fromNs, toNs), step };
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
  if (view.step > 0) return <Card title={t.services.none} action={t.services.wholeRange} onAction={() => update({ step: 0 })} />;
  if (view.q) return <Card title={t.services.nothing} action={t.services.clear} onAction={() => update({ q: "" })} />;
  return <Card title={t.services.none} text={t.services.noneText} action={t.traces.widen} onAction={() => update({ from: "-24h", to: "now" })} />;
}

interface ShownProps extends Shared {
  rows: Row[];
  edges: Parameters<typeof named>[0];
  /** Those of all of the range. */
  base: { edges: Parameters<typeof named>[0]; rows: Row[] };
  /** Whether the newest errors are all errors of the range. */
  all: boolean;
}

function Shown({ view, update, rows, edges, base, all }: ShownProps) {
  const drawn = useMemo(() => busiest(named(base.edges), base.rows), [base.edges, base.rows]);
  const meshes = useMemo(() => meshesOf(base.edges), [base.edges]);
  if (view.show === "table") return <ServicesTable rows={rows} view={view} update={update} noError={all ? null : ERRORS} />;
  if (view.show === "calls") return <CallsTable edges={edges} view={view} update={update} />;
  const nameless = base.edges.length - named(base.edges).length;
  const left = { nodes: base.rows.length - drawn.names.length, edges: base.edges.length - nameless - drawn.edges.length, nameless };
  return <ServiceMap drawn={drawn} now={edges} meshes={meshes} rows={rows} view={view} update={update} left={left} />;
}
