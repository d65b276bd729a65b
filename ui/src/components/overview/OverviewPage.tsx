import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { UnreachableError } from "../../api/client";
import type { OverviewAnswer } from "../../api/types";
import { useOverview, useStatus } from "../../api/queries";
import { useLast } from "../../lib/hooks";
import { formatOverview, isOverviewStep, overviewAddress, parseOverview, steady, type OverviewView } from "../../lib/overview";
import { go, useViewOf, type Codec } from "../../lib/place";
import { DEFAULT_RANGE, isLive, shift, widthText, zoomOut, type Range } from "../../lib/time";
import { t } from "../../strings";
import { Shell, useBounds } from "../Shell";
import { Card, Failure, NeverSent } from "../States";
import { TimePicker } from "../TimePicker";
import { Changes } from "./Changes";
import { Services } from "./Services";

const CODEC: Codec<OverviewView> = { parse: parseOverview, format: formatOverview, isStep: isOverviewStep };

/** All services and what changed, without a question. */
export function OverviewPage() {
  const [view] = useViewOf(CODEC);
  // The bare address stays `/`, so every change is to a whole address.
  const update = useCallback((patch: Partial<OverviewView>) => {
    const before = parseOverview(window.location.search);
    const after = { ...before, ...patch };
    go(overviewAddress(after), isOverviewStep(before, after) ? "push" : "replace");
  }, []);
  const [run, setRun] = useState(0);
  const refresh = useCallback(() => setRun((n) => n + 1), []);
  const { data, error: latest, isPlaceholderData } = useOverview(view, run);
  const status = useStatus();
  const [held, setHeld] = useState(false);
  const answer = useSteady(useLast(data?.answer), held);
  // While the server is away, what was there stays: the frame says so.
  const error = answer && latest instanceof UnreachableError ? null : latest;
  const range = useBounds(view, answer);
  const toggle = () => update(isLive(view) ? { auto: !view.auto } : { ...DEFAULT_RANGE, auto: true });
  const keys = {
    p: toggle,
    "[": () => update(shift(range.fromNs, range.toNs, -1)), "]": () => update(shift(range.fromNs, range.toNs, 1)),
    "-": () => update(zoomOut(view, range.fromNs, range.toNs, BigInt(Date.now()) * 1_000_000n)),
  };
  const nothing = answer && answer.services.length === 0 && answer.changes.length === 0;
  const never = nothing && status.data?.records === 0;
  return (
    <Shell
      title={t.overview.title} keys={keys} help={t.overview.keys} refresh={refresh} error={latest}
      tools={
        <>
          <span className="spring" />
          <TimePicker view={view} update={(to: Range) => update(to)} range={range} />
          <AutoButton view={view} toggle={toggle} />
        </>
      }
      footer={answer && !error && (
        <span className="footer-main" data-services={answer.services.length}>{t.overview.shown(answer.services.length, answer.more)}</span>
      )}
    >
      {never ? <NeverSent status={status.data} id="view" title={t.overview.title} demo /> : (
        <main className="main overview-main" id="view">
          <div
            className={`overview ${isPlaceholderData ? "stale" : ""}`} onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}
            onFocus={() => setHeld(true)} onBlur={() => setHeld(false)}
          >
            <h1 className="offscreen">{t.overview.title}</h1>
            {error && <Failure error={error} refresh={refresh} />}
            {!error && !answer && <div className="state-quiet muted" role="status">{t.overview.loading}…</div>}
            {!error && nothing && <Card title={t.overview.emptyTitle} text={t.overview.emptyText} action={t.traces.widen} onAction={() => update({ from: "-24h", to: "now" })} />}
            {!error && answer && !nothing && (
              <>
                {answer.partial && <p className="overview-note text-warn" role="status">{t.overview.partial(answer.partial.reason, answer.partial.missing)}</p>}
                <Changes answer={answer} view={view} width={widthText(range.toNs - range.fromNs)} />
                <Services answer={answer} view={view} width={widthText(range.toNs - range.fromNs)} />
              </>
            )}
          </div>
        </main>
      )}
    </Shell>
  );
}

/** While it is held, what is new is shown in the order that there was. */
function useSteady(answer: OverviewAnswer | undefined, held: boolean): OverviewAnswer | undefined {
  const last = useRef<OverviewAnswer>(undefined);
  const shown = useMemo(() => (answer && held && last.current ? steady(last.current, answer) : answer), [answer, held]);
  useEffect(() => { last.current = shown; }, [shown]);
  return shown;
}

function AutoButton({ view, toggle }: { view: OverviewView; toggle(): void }) {
  const on = view.auto && isLive(view);
  const title = on ? t.overview.auto.stop : isLive(view) ? t.overview.auto.start : t.overview.auto.fixed;
  return (
    <button type="button" className={`button tail ${on ? "tail-live" : "tail-paused"} auto`} aria-pressed={on} title={title} onClick={toggle} data-auto={on ? "on" : "off"}>
      <span className="tail-dot" aria-hidden="true" />
      <span>{on ? t.overview.auto.on : t.overview.auto.off}</span>
    </button>
  );
}
