import { useCallback, useMemo } from "react";
import { useTrace } from "../../api/queries";
import type { TraceAnswer } from "../../api/types";
import { visibleLine } from "../../lib/format";
import { useViewOf, type Codec } from "../../lib/place";
import { buildTrace } from "../../lib/trace/tree";
import { formatTrace, isTraceStep, parseTrace, type TraceView } from "../../lib/trace/view";
import { t } from "../../strings";
import { later } from "../later";
import { Link } from "../Nav";
import { Shell } from "../Shell";
import { FEW, NotShown } from "./NotShown";
import { Waterfall } from "./Waterfall";

const CODEC: Codec<TraceView> = { parse: parseTrace, format: formatTrace, isStep: isTraceStep };
const FlamePage = later(() => import("./FlamePage").then((file) => file.FlamePage));
const LOGS = 2000;

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
        <h1 className="offscreen">{t.pages.traces}</h1>
        <div className="list">
          {answer.isPending && <div className="state-quiet muted" role="status">{t.trace.loading}…</div>}
          {answer.error && <NotShown error={answer.error} refresh={refresh} fewer={view.most === FEW ? undefined : () => update({ most: FEW })} />}
        </div>
      </main>
    </Shell>
  );
}

interface ShownProps {
  answer: TraceAnswer;
  view: TraceView;
  update(patch: Partial<TraceView>): void;
  refresh(): void;
}

function Shown({ answer, view, update, refresh }: ShownProps) {
  const trace = useMemo(() => buildTrace(answer.spans), [answer]);
  if (view.show !== "waterfall") return <FlamePage answer={answer} trace={trace} view={view} update={update} refresh={refresh} />;
  return <Waterfall answer={answer} trace={trace} view={view} update={update} refresh={refresh} />;
}
