import { useQuery } from "@tanstack/react-query";
import { ApiError, UnreachableError, api } from "../api/client";
import { retry } from "../api/queries";
import type { Status } from "../api/types";
import { bytes, millis } from "../lib/format";
import { clauses, joinClauses } from "../lib/query";
import { around, localStamp } from "../lib/time";
import type { View } from "../lib/url";
import { t } from "../strings";
import { CopyButton } from "./RecordPanel";

export function NeverSent({ status, id = "records", title, demo = false }: { status: Status | undefined; id?: string; title?: string; demo?: boolean }) {
  const receivers = status?.receivers ?? [];
  return (
    <main className="state state-never" id={id}>
      {title && <h1 className="offscreen">{title}</h1>}
      <div className="state-card">
        <h2><span className="pulse" aria-hidden="true" />{t.states.neverTitle}</h2>
        <p>{t.states.neverText}</p>
        <div className="example">
          <pre tabIndex={0}>{status?.ingest_example}</pre>
          <CopyButton label={t.record.copy} text={() => status?.ingest_example ?? ""} />
        </div>
        <h3>{receivers.length > 0 ? t.states.receivers : t.states.noReceivers}</h3>
        <ul className="receivers">
          {receivers.map((receiver) => (
            <li key={receiver.protocol + receiver.address}>
              <span className={`receiver-state ${receiver.state === "listening" ? "receiver-ok" : ""}`} aria-hidden="true" />
              <span>{receiver.protocol}</span>
              <code>{receiver.address}</code>
              <span className="muted">{receiver.state}</span>
            </li>
          ))}
        </ul>
        {demo && (
          <>
            <h3>{t.overview.demo}</h3>
            <div className="example">
              <pre tabIndex={0}>{t.overview.demoCommand}</pre>
              <CopyButton label={t.record.copy} text={() => t.overview.demoCommand} />
            </div>
          </>
        )}
      </div>
    </main>
  );
}

interface ListStateProps {
  view: View;
  update(patch: Partial<View>): void;
  error: Error | null;
  loading: boolean;
  cancelled: boolean;
  status: Status | undefined;
  live: boolean;
  range: { fromNs: bigint; toNs: bigint };
  refresh(): void;
}

/** Why the list is empty, and the one thing to do about it. */
export function ListState(props: ListStateProps) {
  const { view, update, error, loading, cancelled, refresh } = props;
  if (cancelled) return <Card title={t.states.cancelled} action={t.states.retry} onAction={refresh} />;
  if (loading) return <div className="state-quiet muted" role="status">{t.states.loading}…</div>;
  if (error) return <Failure error={error} refresh={refresh} />;
  if (view.template !== "") return <Card title={t.template.nothingTitle} text={t.template.nothingText} action={t.template.remove} onAction={() => update({ template: "" })} />;
  if (clauses(view.q).length > 0) return <Excluded {...props} />;
  return <NothingInRange {...props} update={update} />;
}

export function Failure({ error, refresh }: { error: Error; refresh(): void }) {
  if (error instanceof UnreachableError) return <Card title={t.states.awayTitle} text={t.states.awayText} />;
  const code = error instanceof ApiError ? error.body.code : "";
  if (code === "bad_query") return <Card title={t.states.queryTitle} text={error.message} alert />;
  if (code === "forbidden") return <Card title={t.states.forbiddenTitle} text={error.message} alert />;
  const over = code === "over_budget" || code === "over_export";
  const text = over ? `${error.message}. ${lookedAt(error)}${t.states.overText}` : error.message;
  return <Card title={over ? t.states.overTitle : t.states.errorTitle} text={text} action={t.states.retry} onAction={refresh} alert />;
}

/** How far a question came, if one may know. */
function lookedAt(error: Error): string {
  const stats = error instanceof ApiError ? error.body.stats : undefined;
  if (!stats || stats.scanned_rows === null) return "";
  const { elapsed_ms: ms, scanned_rows: rows, scanned_bytes: size, segments, segments_pruned: pruned } = stats;
  return `${t.states.lookedAt(rows, bytes(size ?? 0), (segments ?? 0) - (pruned ?? 0), millis(ms))} `;
}

/** Of what there is, the end that lies nearer to the range on screen. */
function nearest(status: Status | undefined, toNs: bigint): { ns: bigint; end: "newest" | "oldest" } | null {
  if (!status?.newest_ns || !status.oldest_ns) return null;
  const oldest = BigInt(status.oldest_ns);
  return toNs <= oldest ? { ns: oldest, end: "oldest" } : { ns: BigInt(status.newest_ns), end: "newest" };
}

function NothingInRange({ update, status, live, range }: ListStateProps) {
  const data = nearest(status, range.toNs);
  return (
    <Card
      title={t.states.rangeTitle}
      text={[data === null ? "" : t.states.rangeText(localStamp(data.ns)), live ? t.states.rangeWait : ""].filter(Boolean).join(" ")}
      action={data === null ? undefined : t.states.jump}
      onAction={() => data !== null && update(around(data.ns, range.toNs - range.fromNs, data.end))}
    />
  );
}

/** With more clauses than this, one count a clause is more load than the answer is worth. */
const MAX_TESTED = 8;

interface Verdict {
  /** Clauses without which something is left, with how much. */
  culprits: { clause: string; without: string; count: number }[];
  rangeTotal: number;
}

async function judge(view: View, signal: AbortSignal): Promise<Verdict> {
  const { from, to } = view;
  const parts = clauses(view.q).slice(0, MAX_TESTED + 1);
  const count = async (q: string) => (await api.histogram({ q, from, to }, { buckets: 1 }, signal)).total;
  const rangeTotal = await count("");
  if (rangeTotal === 0 || parts.length > MAX_TESTED) return { culprits: [], rangeTotal };
  const tested = await Promise.all(parts.map(async (clause, index) => {
    const without = joinClauses(parts.filter((_, other) => other !== index));
    return { clause, without, count: without === "" ? rangeTotal : await count(without) };
  }));
  // The clause added last comes first: it is the one a person most likely wants to take back.
  return { culprits: tested.filter((one) => one.count > 0).reverse(), rangeTotal };
}

function Excluded(props: ListStateProps) {
  const { view, update } = props;
  const verdict = useQuery({
    queryKey: ["judge", view.q, view.from, view.to],
    queryFn: ({ signal }) => judge(view, signal),
    retry,
    gcTime: 10_000,
  });
  if (verdict.data?.rangeTotal === 0) return <NothingInRange {...props} />;
  const culprits = verdict.data?.culprits ?? [];
  return (
    <div className="state-card" role="status">
      <h2>{t.states.clauseTitle}</h2>
      {verdict.isPending && <p className="muted">{t.states.clauseChecking}…</p>}
      {culprits.map(({ clause, without, count }) => (
        <div key={clause} className="culprit">
          <p>{t.states.clauseOne(count)}</p>
          <p><code><bdi>{clause}</bdi></code> <button type="button" className="button" onClick={() => update({ q: without })}>{t.states.clauseDrop}</button></p>
        </div>
      ))}
      {verdict.data && culprits.length === 0 && <p>{t.states.clauseNone}</p>}
      <p><button type="button" className="button" onClick={() => update({ q: "" })}>{t.states.clear}</button></p>
    </div>
  );
}

interface CardProps {
  title: string;
  text?: string;
  action?: string | undefined;
  onAction?: () => void;
  alert?: boolean;
}

export function Card({ title, text, action, onAction, alert = false }: CardProps) {
  return (
    <div className="state-card" role={alert ? "alert" : "status"}>
      <h2>{title}</h2>
      {text && <p>{text}</p>}
      {action && <p><button type="button" className="button primary" onClick={onAction}>{action}</button></p>}
    </div>
  );
}
