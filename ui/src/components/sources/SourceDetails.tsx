import type { LedgerOf } from "../../api/ledger";
import type { Source, SourceLine } from "../../api/types";
import { bytes, visibleLine, whole } from "../../lib/format";
import { FATES, missing, waysOf, type SourcesView } from "../../lib/sources";
import { absoluteNs, axisLabel, clock, day, localStamp } from "../../lib/time";
import { t } from "../../strings";
import { Icon, IconButton } from "../Icon";
import { Link } from "../Nav";
import { Visible } from "../Visible";
import { BalanceBar, Verdict } from "./Balance";
import { Chart, slotsOf } from "./Chart";
import { Seen, lagText, nameOf } from "./Table";

interface Props {
  source: Source | undefined;
  ledger: LedgerOf;
  silent: number | undefined;
  tenant: string | undefined;
  view: SourcesView;
  close(): void;
}

/** One source: who it is, what became of what it sent and why, minute by minute, and the way to its records. */
export function SourceDetails({ source, ledger, silent, tenant, view, close }: Props) {
  const name = source ? nameOf(source) : view.source.slice(0, 200);
  return (
    <aside className="panel" aria-label={t.sources.panel}>
      <div className="panel-head">
        <div className="panel-title"><bdi className="panel-service ellipsis" title={name}>{name}</bdi></div>
        <span className="panel-tools"><IconButton name="close" label={t.trace.close} onClick={close} /></span>
      </div>
      <div className="panel-body" tabIndex={0} role="region" aria-label={t.sources.panel}>
        {!source && <p className="muted">{t.sources.gone}</p>}
        {source && (
          <>
            <Ways source={source} view={view} />
            <Facts source={source} silent={silent} tenant={tenant} />
            <Fates source={source} />
            <Reasons source={source} />
            <Lines source={source} ledger={ledger} />
          </>
        )}
      </div>
    </aside>
  );
}

function Ways({ source, view }: { source: Source; view: SourcesView }) {
  const { logs, traces } = waysOf(source, view);
  return (
    <>
      <p className="trace buttons">
        {logs !== null && <Link className="button" to={logs}><Icon name="lines" /> {t.sources.logs}</Link>}
        {traces !== null && <Link className="button" to={traces}><Icon name="trace" /> {t.sources.traces}</Link>}
      </p>
      <p className="muted source-note">{t.sources.shared}</p>
    </>
  );
}

function Facts({ source, silent, tenant }: { source: Source; silent: number | undefined; tenant: string | undefined }) {
  return (
    <dl className="facts facts-wide source-facts">
      <div><dt>{t.sources.protocol}</dt><dd><Visible text={source.protocol} /></dd></div>
      <div><dt>{t.sources.peer}</dt><dd>{source.peer === null ? t.sources.noPeer : <bdi><Visible text={source.peer} /></bdi>}</dd></div>
      {source.sender !== null && <div><dt>{t.sources.sender}</dt><dd><bdi><Visible text={source.sender} /></bdi></dd></div>}
      <div><dt>{t.sources.identity}</dt><dd>{source.identity === null ? <span className="muted">{t.sources.noIdentity}</span> : <bdi><Visible text={source.identity} /></bdi>}</dd></div>
      {tenant !== undefined && <div><dt>{t.sources.tenant}</dt><dd>{tenant}</dd></div>}
      <div><dt>{t.sources.heads.seen}</dt><dd><Seen source={source} silent={silent} /></dd></div>
      <div><dt>{t.sources.newest}</dt><dd>{source.newest === null ? "–" : localStamp(absoluteNs(source.newest) ?? 0n)}</dd></div>
      <div><dt>{t.sources.heads.lag}</dt><dd>{source.lag_seconds === null ? "–" : lagText(source.lag_seconds)}</dd></div>
      <div><dt>{t.sources.bytes}</dt><dd>{bytes(source.bytes)}</dd></div>
    </dl>
  );
}

/** The equation of one source, written below one another as one adds up on paper. */
function Fates({ source }: { source: Source }) {
  const gap = missing(source);
  return (
    <section className="panel-section">
      <div className="section-head"><h2>{t.sources.heads.missing}</h2><Verdict counts={source} /></div>
      <BalanceBar counts={source} large />
      <table className="sum">
        <tbody>
          {FATES.map((fate, at) => (
            <tr key={fate} className={source[fate] === 0 ? "muted" : ""} title={t.sources.fateTitles[fate]}>
              <td aria-hidden="true">{at === 0 ? "" : "+"}</td>
              <th scope="row"><span className={`swatch fate-${fate}`} aria-hidden="true" /> {t.sources.fates[fate]}</th>
              <td className="number">{whole(source[fate])}</td>
            </tr>
          ))}
          {gap !== 0 && <tr className="text-error"><td aria-hidden="true">{gap > 0 ? "+" : "\u2212"}</td><th scope="row"><span className="swatch fate-missing" aria-hidden="true" /> {t.sources.missing}</th><td className="number">{whole(Math.abs(gap))}</td></tr>}
          <tr className="sum-total"><td aria-hidden="true">=</td><th scope="row">{t.sources.received}</th><td className="number">{whole(source.received)}</td></tr>
        </tbody>
      </table>
    </section>
  );
}

function Reasons({ source }: { source: Source }) {
  const of = (fate: string, reasons: { [reason: string]: number }, policy: string) =>
    Object.entries(reasons).sort((a, b) => b[1] - a[1]).map(([reason, count]) => ({ fate, reason, count, text: t.sources.reasons[reason] ?? policy }));
  const all = [
    ...of(t.sources.fates.rejected, source.rejected_for, ""), ...of(t.sources.fates.dropped, source.dropped_for, t.sources.policy), ...of(t.sources.requests, source.refused_for, ""),
  ];
  if (all.length === 0) return null;
  return (
    <section className="panel-section">
      <div className="section-head"><h2>{t.sources.why}</h2></div>
      <ul className="reason-list">
        {all.map(({ fate, reason, count, text }) => (
          <li key={`${fate} ${reason}`}>
            <span className="number">{whole(count)}</span>
            <span><span className="muted">{fate}:</span> <code><Visible text={reason} /></code>{text && <span className="muted"> – {text}</span>}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Lines that are listed: the newest. */
const LISTED = 120;

function Lines({ source, ledger }: { source: Source; ledger: LedgerOf }) {
  const shown = slotsOf(source, ledger);
  if (!shown) return <p className="muted">{t.sources.noSeries}</p>;
  const lines = [...(source.series ?? [])].reverse();
  const [first, last] = [shown[0], shown[shown.length - 1]];
  const label = (ms: number) => axisLabel(BigInt(ms) * 1_000_000n, BigInt(ledger.grain.slotMs) * 1_000_000n, BigInt(ledger.widthMs) * 1_000_000n);
  return (
    <section className="panel-section">
      <div className="section-head"><h2>{t.sources.by[ledger.grain.step]}</h2></div>
      <Chart shown={shown} className="spark-large" />
      {first && last && <p className="spark-axis muted" aria-hidden="true"><span>{label(first.startMs)}</span><span>{label(last.startMs + ledger.grain.slotMs)}</span></p>}
      {lines.length > 0 && <LineTable lines={lines.slice(0, LISTED)} label={t.sources.by[ledger.grain.step]} />}
      {lines.length > LISTED && <p className="muted">{t.sources.byNote(lines.length - LISTED)}</p>}
    </section>
  );
}

function LineTable({ lines, label }: { lines: SourceLine[]; label: string }) {
  const heads = t.sources.heads;
  return (
    <div className="table line-table" role="region" aria-label={label} tabIndex={0}>
      <table>
        <caption className="offscreen">{label}</caption>
        <thead>
          <tr>
            <th scope="col">{t.sources.time}</th><th scope="col" className="number">{heads.received}</th>
            {FATES.map((fate) => <th key={fate} scope="col" className="number" title={t.sources.fateTitles[fate]}>{heads[fate]}</th>)}
            <th scope="col" className="number">{heads.refused}</th><th scope="col"><span className="offscreen">{heads.missing}</span></th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.time}>
              <th scope="row"><time dateTime={line.time} title={visibleLine(line.time)}>{lineTime(line.time)}</time></th>
              <td className="number">{whole(line.received)}</td>
              {FATES.map((fate) => <td key={fate} className={`number ${line[fate] === 0 ? "muted" : ""}`}>{whole(line[fate])}</td>)}
              <td className={`number ${line.refused_requests === 0 ? "muted" : ""}`}>{whole(line.refused_requests)}</td>
              <td>{line.balanced ? <span className="text-ok" title={t.sources.balances}><Icon name="check" /><span className="offscreen">{t.sources.balances}</span></span> : <Verdict counts={line} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function lineTime(time: string): string {
  const ns = absoluteNs(time) ?? 0n;
  const minutes = clock(ns, false).slice(0, 5);
  return Date.now() - Number(ns / 1_000_000n) < 20 * 3_600_000 ? minutes : `${day(ns)} ${minutes}`;
}
