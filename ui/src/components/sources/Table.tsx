import { memo } from "react";
import type { LedgerOf } from "../../api/ledger";
import type { Source } from "../../api/types";
import { compact, millis, visibleLine, whole } from "../../lib/format";
import { FATES, SORTS, age, keyOf, rises, type Fate, type Sort, type SourcesView } from "../../lib/sources";
import { localStamp, toRfc3339, absoluteNs } from "../../lib/time";
import { t } from "../../strings";
import { Icon } from "../Icon";
import { Visible } from "../Visible";
import { BalanceBar, Verdict } from "./Balance";
import { Chart, slotsOf } from "./Chart";

interface Props {
  sources: Source[];
  ledger: LedgerOf;
  /** For how many seconds each has been silent that is. */
  silent: ReadonlyMap<string, number>;
  view: SourcesView;
  update(patch: Partial<SourcesView>): void;
}

const CUT = 200;
/** The columns; the chart cannot be sorted by. */
const HEADS: readonly (Sort | "chart")[] = [...SORTS.slice(0, 9), "chart", ...SORTS.slice(9)];

/** A table also where it is drawn as blocks, on a phone: hence the roles, which its cells would lose with their form. */
export function SourcesTable({ sources, ledger, silent, view, update }: Props) {
  return (
    <>
      <NarrowSort view={view} update={update} />
      <div className="table sources-table" role="region" aria-label={t.sources.title} tabIndex={0}>
        <table role="table">
          <caption className="offscreen">{t.sources.title}</caption>
          <thead role="rowgroup"><tr role="row">{HEADS.map((head) => <Head key={head} head={head} view={view} update={update} />)}</tr></thead>
          <tbody role="rowgroup">
            {sources.map((source) => {
              const key = keyOf(source);
              return <Row key={key} source={source} ledger={ledger} silent={silent.get(key)} open={view.source === key} update={update} />;
            })}
          </tbody>
        </table>
      </div>
    </>
  );
}

type Viewed = Pick<Props, "view" | "update">;

function Head({ head, view, update }: Viewed & { head: Sort | "chart" }) {
  const text = t.sources.heads[head];
  if (head === "chart") return <th role="columnheader" scope="col">{text}</th>;
  const sorted = view.sort === head;
  const up = rises(head) !== (sorted && view.turned);
  return (
    <th role="columnheader" scope="col" className={isNumber(head) ? "number" : ""} aria-sort={sorted ? (up ? "ascending" : "descending") : undefined}>
      <button type="button" className="sort" title={t.sources.sortBy(text)} onClick={() => update(sorted ? { turned: !view.turned } : { sort: head, turned: false })}>
        {text}
        {isFate(head) && <span className={`swatch fate-${head}`} aria-hidden="true" />}
        <span className={sorted ? "" : "sort-none"}><Icon name={up ? "up" : "down"} /></span>
      </button>
    </th>
  );
}

function isFate(head: Sort): head is Fate {
  return (FATES as readonly string[]).includes(head);
}

function isNumber(head: Sort): boolean {
  return head !== "source" && head !== "missing" && head !== "seen";
}

/** On a phone there are no heads to press. */
function NarrowSort({ view, update }: Viewed) {
  return (
    <label className="narrow-sort">
      <span>{t.sources.sort}</span>
      <select value={view.sort} onChange={(event) => update({ sort: SORTS.find((sort) => sort === event.target.value) ?? "received", turned: false })}>
        {SORTS.map((sort) => <option key={sort} value={sort}>{t.sources.heads[sort]}</option>)}
      </select>
    </label>
  );
}

function placeOf({ protocol, peer, others }: Source): string {
  return others ? t.sources.others : (peer ?? (protocol === "logkeep" ? t.sources.itself : t.sources.noPeer)).slice(0, CUT);
}

function namesOf({ identity, sender }: Source): string {
  return [identity, sender].filter((name) => name !== null).map((name) => name.slice(0, CUT)).join(" · ");
}

/** Who it is, in a line for titles and labels. */
export function nameOf(source: Source): string {
  return visibleLine([source.protocol.slice(0, CUT), placeOf(source), namesOf(source)].filter((part) => part !== "").join(" "));
}

interface RowProps {
  source: Source;
  ledger: LedgerOf;
  silent: number | undefined;
  open: boolean;
  update: Props["update"];
}

/** Hundreds of them, of which a click changes two. */
const Row = memo(function Row({ source, ledger, silent, open, update }: RowProps) {
  const key = keyOf(source);
  const shown = slotsOf(source, ledger);
  return (
    <tr role="row" className={open ? "row-active" : ""} data-source={key}>
      <th role="rowheader" scope="row" className="who">
        <button type="button" className="plain source-open" aria-expanded={open} title={t.sources.details(nameOf(source))} onClick={() => update({ source: open ? "" : key })}>
          <Who source={source} />
        </button>
      </th>
      <td role="cell" className="number amount-received"><Label of="received" /> {compact(source.received)}</td>
      <td role="cell" className="became"><BalanceBar counts={source} /> <Verdict counts={source} /></td>
      {FATES.map((fate) => <Amount key={fate} head={fate} count={source[fate]} title={t.sources.fateTitles[fate]} bad={fate === "rejected" || fate === "dropped"} />)}
      <Amount head="refused" count={source.refused_requests} title={t.sources.refusedTitle(source.refused_requests)} bad />
      <td role="cell" className="over-time">{shown ? <Chart shown={shown} /> : <span className="muted" title={t.sources.noChart}>–</span>}</td>
      <td role="cell" className="number lag"><Lag seconds={source.lag_seconds} /></td>
      <td role="cell" className="seen"><Seen source={source} silent={silent} /></td>
    </tr>
  );
});

function Who({ source }: { source: Source }) {
  const names = namesOf(source);
  return (
    <>
      <span className="who-line"><span className="protocol"><Visible text={source.protocol.slice(0, CUT)} /></span> <bdi className="ellipsis"><Visible text={placeOf(source)} /></bdi></span>
      {names && <bdi className="who-name ellipsis muted"><Visible text={names} /></bdi>}
    </>
  );
}

function Label({ of }: { of: Sort }) {
  return <span className="narrow-label">{t.sources.heads[of]}</span>;
}

function Amount({ head, count, title, bad = false }: { head: Fate | "refused"; count: number; title: string; bad?: boolean }) {
  const colour = count === 0 ? "muted none" : bad ? "text-error" : "";
  return <td role="cell" className={`number ${colour}`} title={`${whole(count)}: ${title}`}><Label of={head} /> {compact(count)}</td>;
}

function Lag({ seconds }: { seconds: number | null }) {
  if (seconds === null) return <span className="muted" title={t.sources.noLag}><Label of="lag" /> –</span>;
  const text = lagText(seconds);
  return <span title={t.sources.lag(text)}><Label of="lag" /> {text}</span>;
}

/** Below a millisecond nothing lags. */
export function lagText(seconds: number): string {
  const ms = Math.abs(seconds) * 1000;
  return ms < 1 ? "0 ms" : `${seconds < 0 ? "-" : ""}${ms < 60_000 ? millis(ms) : age(ms / 1000)}`;
}

export function Seen({ source, silent }: { source: Source; silent: number | undefined }) {
  if (source.last_seen === null || source.silent_seconds === null) return <span className="muted">{t.sources.never}</span>;
  const ns = absoluteNs(source.last_seen) ?? 0n;
  const time = <time dateTime={toRfc3339(ns)} title={localStamp(ns)}>{t.sources.ago(age(source.silent_seconds))}</time>;
  if (silent === undefined) return time;
  return <strong className="silent text-warn" title={`${t.sources.silentTitle}. ${localStamp(ns)}`}><Icon name="pause" /> {t.sources.silent(age(silent))}</strong>;
}
