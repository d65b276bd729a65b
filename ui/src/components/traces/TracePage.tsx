import { useCallback, useMemo } from "react";
import { ApiError } from "../../api/client";
import { useTrace } from "../../api/queries";
import type { TraceAnswer } from "../../api/types";
import { visibleLine } from "../../lib/format";
import { useViewOf, type Codec } from "../../lib/place";
import { buildTrace } from "../../lib/trace/tree";
import { formatTrace, isTraceStep, parseTrace, type TraceView } from "../../lib/trace/view";
import { t } from "../../strings";
import { Link } from "../Nav";
import { Shell } from "../Shell";
import { Card, Failure } from "../States";
import { Waterfall } from "./Waterfall";

const CODEC: Codec<TraceView> = { parse: parseTrace, format: formatTrace, isStep: isTraceStep };
const LOGS = 2000;
/** What is asked for where all of it may not be read out. */
const FEW = 1000;

/** One trace: what called what, how long it took, and what was logged meanwhile. */
export function TracePage({ id }: { id: string }) {
  const [view, update] = useViewOf(CODEC);
  const answer = useTrace(id, view.most, LOGS);
  const refetch = answer.refetch;
  const refresh = useCallback(() => void refetch(), [refetch]);
  if (answer.data) return <Shown answer={answer.data} view={view} update={update} refresh={refresh} />;
  return (
    <Shell
      title={t.trace.title(visibleLine(id).slice(0, 40))} keys={{}} help={t.trace.keys} refresh={refresh} error={answer.error} footer={null}
      tools={<Link className="link top-back" to="/traces">{t.trace.back}</Link>}
    >
      <main className="main" id="view">
        <div className="list">
          {answer.isPending && <div className="state-quiet muted" role="status">{t.trace.loading}…</div>}
          {answer.error && <NotShown error={answer.error} refresh={refresh} fewer={view.most === FEW ? undefined : () => update({ most: FEW })} />}
        </div>
      </main>
    </Shell>
  );
}

function NotShown({ error, refresh, fewer }: { error: Error; refresh(): void; fewer: (() => void) | undefined }) {
  if (!(error instanceof ApiError)) return <Failure error={error} refresh={refresh} />;
  if (error.status === 404) return <Card title={t.trace.goneTitle} text={t.trace.goneText} action={t.states.retry} onAction={refresh} alert />;
  if (error.status === 400) return <Card title={t.trace.badTitle} text={error.message} alert />;
  if (error.body.code === "over_export" && fewer) return <Card title={t.states.overTitle} text={error.message} action={t.trace.tooMuch} onAction={fewer} alert />;
  return <Failure error={error} refresh={refresh} />;
}

interface ShownProps {
  answer: TraceAnswer;
  view: TraceView;
  update(patch: Partial<TraceView>): void;
  refresh(): void;
}

function Shown({ answer, view, update, refresh }: ShownProps) {
  const trace = useMemo(() => buildTrace(answer.spans), [answer]);
  return <Waterfall answer={answer} trace={trace} view={view} update={update} refresh={refresh} />;
}
