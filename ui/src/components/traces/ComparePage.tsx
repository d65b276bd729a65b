import { useCallback, useMemo } from "react";
import { useTrace } from "../../api/queries";
import { visibleLine, whole } from "../../lib/format";
import { go, useViewOf, type Codec } from "../../lib/place";
import { localStamp } from "../../lib/time";
import { byDifference, compareAddress, formatCompare, isOf, pairUp, parseCompare, type CompareView, type Only, type Order, type Pair, type Side } from "../../lib/trace/compare";
import { mergePaths } from "../../lib/trace/paths";
import { nanos } from "../../lib/trace/scale";
import { buildTrace, type Trace } from "../../lib/trace/tree";
import { SPANS, traceAddress } from "../../lib/trace/view";
import { t } from "../../strings";
import { Link } from "../Nav";
import { Shell } from "../Shell";
import { Card } from "../States";
import { Visible } from "../Visible";
import { FEW, NotShown } from "./NotShown";

const CODEC: Codec<CompareView> = { parse: parseCompare, format: formatCompare, isStep: (before, after) => formatCompare(before) !== formatCompare(after) };
/** Records of logs are not compared; one is the least that can be asked for. */
const LOGS = 1;
/** More rows nobody reads, and those that differ most come first. */
const ROWS = 1000;

type Answer = ReturnType<typeof useTrace>;

/** Two traces, path by path: what took longer, what is only in one. */
export function ComparePage({ a, b }: { a: string; b: string }) {
  const [view, update] = useViewOf(CODEC);
  const [ofA, ofB] = [useTrace(a, view.most, LOGS), useTrace(b, view.most, LOGS)];
  const [againA, againB] = [ofA.refetch, ofB.refetch];
  const refresh = useCallback(() => { void againA(); void againB(); }, [againA, againB]);
  const traceA = useMemo(() => (ofA.data ? buildTrace(ofA.data.spans) : null), [ofA.data]);
  const traceB = useMemo(() => (ofB.data ? buildTrace(ofB.data.spans) : null), [ofB.data]);
  const pairs = useMemo(() => (traceA && traceB ? pairUp(mergePaths(traceA), mergePaths(traceB)) : null), [traceA, traceB]);
  const swap = () => go(compareAddress(b, a) + formatCompare(view));
  const isWaiting = (ofA.isPending && !ofA.error) || (ofB.isPending && !ofB.error);
  return (
    <Shell
      title={t.compare.title(a.slice(0, 8), b.slice(0, 8))} keys={{ s: swap }} help={t.compare.keys} refresh={refresh} error={ofA.error ?? ofB.error}
      tools={<Link className="link top-back" to="/traces">{t.trace.back}</Link>}
      footer={pairs && <span className="footer-main" data-pairs={pairs.length}>{t.compare.facts(counts(pairs))}</span>}
    >
      <main className="main compare" id="view">
        <h1 className="offscreen">{t.compare.bar}</h1>
        <div className="compare-heads">
          <Head side="a" id={a} answer={ofA} trace={traceA} view={view} update={update} />
          <button type="button" className="button" onClick={swap} title={t.compare.swapTitle}>{t.compare.swap}</button>
          <Head side="b" id={b} answer={ofB} trace={traceB} view={view} update={update} />
        </div>
        {isWaiting && <div className="state-quiet muted" role="status">{t.compare.loading}…</div>}
        {pairs && pairs.length === 0 && <Card title={t.compare.none} text={t.compare.noneText} />}
        {pairs && pairs.length > 0 && <Pairs pairs={pairs} view={view} update={update} same={a === b} />}
      </main>
    </Shell>
  );
}

function counts(pairs: readonly Pair[]): { both: number; a: number; b: number } {
  const of = (only: Only) => pairs.filter((pair) => isOf(pair, only)).length;
  return { both: of("both"), a: of("a"), b: of("b") };
}

interface Views {
  view: CompareView;
  update(patch: Partial<CompareView>): void;
}

function Head({ side, id, answer, trace, view, update }: Views & { side: "a" | "b"; id: string; answer: Answer; trace: Trace | null }) {
  const root = trace?.roots[0]?.span;
  const more = SPANS.find((most) => most > view.most);
  return (
    <section className="compare-head" aria-label={t.compare.side[side]}>
      <h2 className="ellipsis">
        <strong className="compare-side">{side.toUpperCase()}</strong>{" "}
        <Link to={traceAddress(id)}>
          {root ? <><bdi className="muted"><Visible text={root.service.slice(0, 200) || t.trace.unnamed} /></bdi> <bdi><Visible text={root.name.slice(0, 300) || t.traces.noName} /></bdi></> : visibleLine(id.slice(0, 40))}
        </Link>
      </h2>
      {answer.error && <NotShown error={answer.error} refresh={() => void answer.refetch()} fewer={view.most === FEW ? undefined : () => update({ most: FEW })} />}
      {trace && !root && <p className="muted">{t.trace.noSpans}</p>}
      {trace && root && (
        <p className="trace-facts">
          <strong>{nanos(trace.length)}</strong>
          <span>{t.trace.facts(trace.nodes.length, trace.services, trace.deepest + 1)}</span>
          <span className={trace.errors > 0 ? "text-error" : "muted"}>{t.trace.errors(trace.errors)}</span>
          <time className="muted" dateTime={root.time}>{localStamp(trace.startNs)}</time>
          <code className="muted ellipsis">{visibleLine(id)}</code>
        </p>
      )}
      {answer.data?.more_spans && (
        <p className="trace-note text-warn" role="status">
          {t.compare.moreSpans(answer.data.spans.length)} {more && <button type="button" className="button" onClick={() => update({ most: more })}>{t.trace.loadMore(more)}</button>}
        </p>
      )}
    </section>
  );
}

const ORDERS: readonly Order[] = ["self", "total"];
const ONLY: readonly Only[] = ["all", "both", "a", "b"];

function Pairs({ pairs, view, update, same }: Views & { pairs: Pair[]; same: boolean }) {
  const sorted = useMemo(() => byDifference(pairs, view.order), [pairs, view.order]);
  const shown = useMemo(() => sorted.filter((pair) => isOf(pair, view.only)), [sorted, view.only]);
  const widest = shown.reduce((most, pair) => Math.max(most, Math.abs(pair[view.order])), 0);
  return (
    <>
      <div className="compare-tools">
        <label>{t.compare.sortBy} <select value={view.order} onChange={(event) => update({ order: ORDERS.find((one) => one === event.target.value) ?? "self" })}>
          {ORDERS.map((order) => <option key={order} value={order}>{t.compare.orders[order]}</option>)}
        </select></label>
        <label>{t.compare.show} <select value={view.only} onChange={(event) => update({ only: ONLY.find((one) => one === event.target.value) ?? "all" })}>
          {ONLY.map((only) => <option key={only} value={only}>{t.compare.only[only]}</option>)}
        </select></label>
        <p className="muted">{same ? t.compare.same : t.compare.how}</p>
      </div>
      <div className="table services-table compare-table" role="region" aria-label={t.compare.caption} tabIndex={0} data-rows={shown.length}>
        <table>
          <caption className="offscreen">{t.compare.caption}</caption>
          <thead>
            <tr>
              <th scope="col">{t.compare.heads.path}</th>
              {(["total", "self", "timeA", "timeB", "countA", "countB"] as const).map((head) => <th key={head} scope="col" className="number">{t.compare.heads[head]}</th>)}
            </tr>
          </thead>
          <tbody>{shown.slice(0, ROWS).map((pair) => <PairRow key={pair.key} pair={pair} order={view.order} widest={widest} />)}</tbody>
        </table>
        {shown.length === 0 && <p className="pad muted" role="status">{t.compare.noSuch}</p>}
        {shown.length > ROWS && <p className="pad muted">{t.trace.notDrawn(shown.length - ROWS)}</p>}
      </div>
    </>
  );
}

function PairRow({ pair, order, widest }: { pair: Pair; order: Order; widest: number }) {
  const only = pair.a === null ? "b" : pair.b === null ? "a" : null;
  const trail = above(pair);
  return (
    <tr data-only={only ?? "both"}>
      <th scope="row" className="what" title={visibleLine(`${trail}${trail && " › "}${pair.service}: ${pair.operation}`.slice(0, 1000))}>
        {trail && <span className="compare-trail muted ellipsis">{visibleLine(trail)} ›</span>}
        <span className="ellipsis compare-name">
          <bdi className="service"><Visible text={pair.service.slice(0, 200) || t.trace.unnamed} /></bdi> <bdi><Visible text={pair.operation.slice(0, 300) || t.traces.noName} /></bdi>
          {only && <em className="compare-only">{t.compare.onlyIn[only]}</em>}
        </span>
      </th>
      {(["total", "self"] as const).map((of) => (
        <td key={of} className="number requests">
          {of === order && widest > 0 && <span className={`requests-bar ${pair[of] > 0 ? "compare-more" : ""}`} style={{ width: `${(Math.abs(pair[of]) / widest) * 100}%` }} aria-hidden="true" />}
          {pair[of] > 0 && "+"}{nanos(pair[of])}
        </td>
      ))}
      <td className="number">{pair.a ? nanos(pair.a.total) : "–"}</td>
      <td className="number">{pair.b ? nanos(pair.b.total) : "–"}</td>
      <Count side={pair.a} />
      <Count side={pair.b} />
    </tr>
  );
}

function Count({ side }: { side: Side | null }) {
  if (side === null) return <td className="number muted">–</td>;
  return <td className="number">{whole(side.count)}{side.errors > 0 && <span className="text-error"> ({t.trace.errors(side.errors)})</span>}</td>;
}

const TRAIL = 4;

/** The nearest of what calls it, the outermost first. */
function above(pair: Pair): string {
  const names: string[] = [];
  let at = pair.parent;
  for (; at && names.length < TRAIL; at = at.parent) names.unshift(at.operation.slice(0, 60) || t.traces.noName);
  return (at ? "… › " : "") + names.join(" › ");
}
