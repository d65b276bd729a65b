import { useCallback, useMemo, useRef, useState, useEffect } from "react";
import { UnreachableError } from "../../api/client";
import { useLedger, useUncleanStarts, type LedgerOf } from "../../api/ledger";
import { useStatus } from "../../api/queries";
import { useSession } from "../../api/session";
import type { AuditRow, Source, SourcesAnswer } from "../../api/types";
import { useLast } from "../../lib/hooks";
import { focusSearch } from "../../lib/keys";
import { inOrderOf } from "../../lib/overview";
import { useViewOf, type Codec } from "../../lib/place";
import {
  formatSources, isSourcesStep, keyOf, matching, onlyBefore, parseSources, silence, sorted, totalOf, type SourcesView,
} from "../../lib/sources";
import { clock, day, shift, zoomOut } from "../../lib/time";
import { t } from "../../strings";
import { Icon } from "../Icon";
import { Shell, useBounds } from "../Shell";
import { Card, Failure } from "../States";
import { TimePicker } from "../TimePicker";
import { Equation } from "./Balance";
import { FirstSource } from "./FirstSource";
import { SourceDetails } from "./SourceDetails";
import { SourcesTable } from "./Table";
import "../../styles/sources.css";

const CODEC: Codec<SourcesView> = { parse: parseSources, format: formatSources, isStep: isSourcesStep };
const NO_BOUNDS = undefined;

/** Who sends, and what became of everything that was received. */
export function SourcesPage() {
  const [view, update] = useViewOf(CODEC);
  const [run, setRun] = useState(0);
  const refresh = useCallback(() => setRun((n) => n + 1), []);
  const { data: session } = useSession();
  const may = session?.may.includes("sources") ?? true;
  const { ledger, before } = useLedger(view, run, may);
  const found = useLast(ledger.data);
  const status = useStatus();
  const starts = useUncleanStarts(view, session?.may.includes("query_audit") ?? false, status.data?.started);
  // While the server is away, what was there stays: the frame says so.
  const error = found && ledger.error instanceof UnreachableError ? null : ledger.error;
  const all = useSourcesOf(found, before, status.data?.started);
  const range = useBounds(view, NO_BOUNDS);
  const close = () => update({ source: "" });
  const keys = {
    "/": focusSearch, j: () => step(1), k: () => step(-1),
    "[": () => update(shift(range.fromNs, range.toNs, -1)), "]": () => update(shift(range.fromNs, range.toNs, 1)),
    "-": () => update(zoomOut(view, range.fromNs, range.toNs, BigInt(Date.now()) * 1_000_000n)),
  };
  const escape = () => {
    if (!view.source) return false;
    close();
    return true;
  };
  const shown = useMemo(() => matching(all.sources, view), [all, view]);
  const never = found && !error && all.sources.length === 0 && status.data?.records === 0;
  useSoon(never ?? false, refresh);
  return (
    <Shell
      title={t.sources.title} keys={keys} escape={escape} help={t.sources.keys} refresh={refresh} error={ledger.error}
      tools={
        <>
          <Filter view={view} update={update} protocols={[...new Set(all.sources.map(({ protocol }) => protocol))].sort()} />
          <TimePicker view={view} update={update} range={range} />
        </>
      }
      footer={found && !error && (
        <span className="footer-main" data-sources={shown.length}>
          {t.sources.shown(shown.length, all.sources.length, found.all.more)}{all.silent.size > 0 && `, ${t.sources.silentCount(all.silent.size)}`}
        </span>
      )}
    >
      {never && status.data ? <FirstSource status={status.data} /> : (
        <main className="main" id="view">
          <section className={`list sources ${ledger.isPlaceholderData ? "stale" : ""}`}>
            <h1 className="offscreen">{t.sources.title}</h1>
            {error && <Failure error={error} refresh={refresh} />}
            {!may && <Card title={t.states.forbiddenTitle} text={t.sources.notForYou} alert />}
            {may && !error && !found && <div className="state-quiet muted" role="status">{t.sources.loading}…</div>}
            {!error && found && (
              <Shown ledger={found} all={all} shown={shown} view={view} update={update} starts={starts} tenant={status.data?.tenant} />
            )}
          </section>
          {!error && found && view.source && (
            <SourceDetails
              source={all.sources.find((source) => keyOf(source) === view.source)} ledger={found} silent={all.silent.get(view.source)} tenant={status.data?.tenant}
              view={view} close={close}
            />
          )}
        </main>
      )}
    </Shell>
  );
}

const SOON_MS = 2000;

/** As long as nothing came: the first one appears by itself. */
function useSoon(active: boolean, refresh: () => void): void {
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(refresh, SOON_MS);
    return () => clearInterval(timer);
  }, [active, refresh]);
}

interface All {
  sources: Source[];
  silent: ReadonlyMap<string, number>;
}

/** The sources of the range, those that fell silent before it began, and who of them is silent. */
function useSourcesOf(ledger: LedgerOf | undefined, before: SourcesAnswer | undefined, started: string | undefined): All {
  return useMemo(() => {
    if (!ledger) return { sources: [], silent: new Map() };
    const { answer, all, grain } = ledger;
    const charted = new Map(answer.sources.map((source) => [keyOf(source), source]));
    const here = all.sources.map((source) => charted.get(keyOf(source)) ?? source);
    const earlier = new Map((before?.sources ?? []).map((source) => [keyOf(source), source]));
    const known = new Set(here.map(keyOf));
    const gone = [...earlier.values()].filter((source) => !known.has(keyOf(source)));
    const silent = new Map<string, number>();
    for (const source of before ? [...here, ...gone] : []) {
      const old = earlier.get(keyOf(source));
      // The minute in which the range begins is in both answers.
      const lines = [...(old?.series ?? []).filter(({ time }) => time < answer.from), ...(old === source ? [] : (source.series ?? []))];
      const seconds = silence(source, lines, grain.slotMs, upSeconds(source, started));
      if (seconds !== null) silent.set(keyOf(source), seconds);
    }
    return { sources: [...here, ...gone.filter((source) => silent.has(keyOf(source))).map(onlyBefore)], silent };
  }, [ledger, before, started]);
}

/** For how long the server has been there, by its own clock. */
function upSeconds({ last_seen: last, silent_seconds: silent }: Source, started: string | undefined): number {
  if (last === null || silent === null || started === undefined) return Infinity;
  return Math.max(0, (Date.parse(last) - Date.parse(started)) / 1000 + silent);
}

function step(by: 1 | -1): void {
  const all = [...document.querySelectorAll<HTMLElement>(".source-open")];
  const at = all.findIndex((one) => one === document.activeElement);
  all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
}

type Viewed = { view: SourcesView; update(patch: Partial<SourcesView>): void };

function Filter({ view, update, protocols }: Viewed & { protocols: string[] }) {
  const offered = view.protocol && !protocols.includes(view.protocol) ? [view.protocol, ...protocols] : protocols;
  return (
    <div className="source-filter">
      <input
        id="search" type="text" value={view.q} placeholder={t.sources.placeholder} aria-label={t.sources.filter} spellCheck={false} autoComplete="off"
        onChange={(event) => update({ q: event.target.value })}
      />
      <select aria-label={t.sources.protocol} value={view.protocol} onChange={(event) => update({ protocol: event.target.value })}>
        <option value="">{t.sources.all}</option>
        {offered.map((protocol) => <option key={protocol}>{protocol}</option>)}
      </select>
    </div>
  );
}

interface ShownProps extends Viewed {
  ledger: LedgerOf;
  all: All;
  shown: Source[];
  starts: AuditRow[];
  tenant: string | undefined;
}

function Shown({ ledger, all, shown, view, update, starts, tenant }: ShownProps) {
  const [held, setHeld] = useState(false);
  const rows = useSteady(useMemo(() => sorted(shown, view.sort, view.turned), [shown, view.sort, view.turned]), held, `${view.sort}${view.turned}`);
  const filtered = view.q !== "" || view.protocol !== "";
  const counts = filtered ? totalOf(shown) : { ...ledger.answer.totals, balanced: ledger.answer.balanced };
  const clear = () => update({ q: "", protocol: "" });
  return (
    <div
      className="sources-body" onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)} onFocus={() => setHeld(true)} onBlur={() => setHeld(false)}
    >
      {all.sources.length > 0 && <Equation counts={counts} broken={shown.filter(({ balanced }) => !balanced).length} tenant={tenant} />}
      <Unclean starts={starts} />
      {all.sources.length === 0 && <Card title={t.sources.nothingTitle} text={t.sources.nothingText} action={t.sources.widen} onAction={() => update({ from: "-24h", to: "now" })} />}
      {all.sources.length > 0 && rows.length === 0 && <Card title={t.sources.noneTitle} action={t.sources.clear} onAction={clear} />}
      {rows.length > 0 && <SourcesTable sources={rows} ledger={ledger} silent={all.silent} view={view} update={update} />}
    </div>
  );
}

/** While the pointer or the focus is there, what is new does not change places; sorting by something else does. */
function useSteady(rows: Source[], held: boolean, order: string): Source[] {
  const last = useRef<{ rows: Source[]; order: string }>(undefined);
  const shown = useMemo(() => (held && last.current?.order === order ? inOrderOf(last.current.rows, rows, keyOf) : rows), [rows, held, order]);
  useEffect(() => { last.current = { rows: shown, order }; }, [shown, order]);
  return shown;
}

function Unclean({ starts }: { starts: AuditRow[] }) {
  const [latest] = starts;
  if (!latest) return null;
  const ns = BigInt(latest.time_ns);
  return (
    <p className="unclean text-warn" role="note">
      <Icon name="warn" /> <span>{t.sources.unclean(`${day(ns)} ${clock(ns, false)}`)} {starts.length > 1 && t.sources.moreUnclean(starts.length - 1)}</span>
    </p>
  );
}
