import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { PATTERNS, useFields, usePatterns, useStatus } from "../../api/queries";
import type { Pattern, PatternsAnswer } from "../../api/types";
import { focusSearch, move } from "../../lib/keys";
import { askedBy, formatPatterns, found, hasBefore, isPatternsStep, parsePatterns, sorted, type PatternsView, type Sort } from "../../lib/patterns";
import { useViewOf, type Codec } from "../../lib/place";
import { shift, widthText, zoomOut } from "../../lib/time";
import { t } from "../../strings";
import { SlowNote } from "../Notes";
import { SearchBar } from "../SearchBar";
import { Shell, useBounds } from "../Shell";
import { Card, Failure, NeverSent } from "../States";
import { TimePicker } from "../TimePicker";
import { Details } from "./Details";
import { Filters } from "./Filters";
import { PatternTable } from "./Table";

const CODEC: Codec<PatternsView> = { parse: parsePatterns, format: formatPatterns, isStep: isPatternsStep };

/** Which statements of programs wrote the records of a range, and which of them are new or gone. */
export function PatternsPage() {
  const client = useQueryClient();
  const [view, update] = useViewOf(CODEC);
  const [run, setRun] = useState(0);
  const refresh = useCallback(() => setRun((n) => n + 1), []);
  const { all, shown, fetching } = usePatterns(view, run);
  const fields = useFields(view, run, false, all.data !== undefined);
  const status = useStatus();
  const answer = all.data;
  const range = useBounds(view, answer);
  const error = all.error ?? shown.error;
  const cancelled = !error && !fetching && (!shown.patterns || all.isPlaceholderData);
  const never = answer?.total === 0 && status.data?.records === 0;
  const listed = useMemo(() => sorted(found(shown.patterns ?? [], view.find), view.sort, view.turned), [shown.patterns, view.find, view.sort, view.turned]);
  const open = shown.patterns?.find((one) => askedBy(one) === view.open || one.template === view.open);
  const sort = (by: Sort) => update(by === view.sort ? { turned: !view.turned } : { sort: by, turned: false });
  const keys = {
    "/": focusSearch, j: () => move("down"), k: () => move("up"), ArrowDown: () => move("down"), ArrowUp: () => move("up"), g: () => move("top"),
    n: () => update({ show: view.show === "new" ? "all" : "new" }), c: () => sort("count"), d: () => sort("change"), f: () => sort("first"),
    "[": () => update(shift(range.fromNs, range.toNs, -1)), "]": () => update(shift(range.fromNs, range.toNs, 1)),
    "-": () => update(zoomOut(view, range.fromNs, range.toNs, BigInt(Date.now()) * 1_000_000n)),
  };
  const escape = () => {
    if (!view.open) return false;
    update({ open: "" });
    return true;
  };
  return (
    <Shell
      title={t.pages.patterns} keys={keys} onControls={{ Enter: () => move("open") }} escape={escape} help={t.patterns.keys} refresh={refresh} error={all.error}
      tools={
        <>
          <SearchBar view={view} update={update} fields={fields.data?.answer.fields ?? []} error={all.error} refresh={refresh} />
          <TimePicker view={view} update={update} range={range} />
        </>
      }
      footer={answer && !error && <span className="footer-main" data-templates={answer.templates}>{t.patterns.shown(answer.templates, answer.total)}</span>}
    >
      <SlowNote active={fetching} onCancel={() => void client.cancelQueries({ queryKey: ["patterns"] })} />
      {never ? <NeverSent status={status.data} id="view" title={t.pages.patterns} /> : (
        <main className="main" id="view">
          <section className={`list patterns ${all.isPlaceholderData ? "stale" : ""}`}>
            <h1 className="offscreen">{t.pages.patterns}</h1>
            <Filters view={view} update={update} answer={answer} />
            <div className="services-body" role="tabpanel" id="patterns-body" aria-labelledby={`show-${view.show}`}>
              {answer && !error && <Notes answer={answer} width={widthText(range.toNs - range.fromNs)} />}
              {error && <Failure error={error} refresh={refresh} />}
              {!error && !shown.patterns && fetching && <div className="state-quiet muted" role="status">{t.patterns.loading}…</div>}
              {cancelled && <Card title={t.states.cancelled} action={t.states.retry} onAction={refresh} />}
              {!error && !cancelled && answer && shown.patterns && (listed.length > 0
                ? <PatternTable patterns={listed} view={view} update={update} answer={answer} sort={sort} />
                : <Nothing view={view} update={update} all={shown.patterns} width={widthText(range.toNs - range.fromNs)} />)}
              {answer && !error && shown.more > 0 && <p className="patterns-note muted">{t.patterns.more(PATTERNS, shown.more)}</p>}
            </div>
          </section>
          {!error && answer && view.open && <Details key={view.open} view={view} update={update} pattern={open} answer={answer} />}
        </main>
      )}
    </Shell>
  );
}

/** What is not counted by template, where there is any. */
function Notes({ answer, width }: { answer: PatternsAnswer; width: string }) {
  const notes = [
    answer.without > 0 && t.patterns.without(answer.without), answer.others > 0 && t.patterns.others(answer.others),
    answer.templates > 0 && !hasBefore(answer) && t.patterns.noBefore(width),
  ].filter((note) => note !== false);
  return notes.length > 0 && <p className="patterns-note muted" role="status">{notes.join(" ")}</p>;
}

interface NothingProps {
  view: PatternsView;
  update(patch: Partial<PatternsView>): void;
  all: readonly Pattern[];
  width: string;
}

function Nothing({ view, update, all, width }: NothingProps) {
  const words = t.patterns.nothing;
  if (all.length > 0) return <Card title={words.find} action={words.findClear} onAction={() => update({ find: "" })} />;
  if (view.show !== "all") return <Card title={words[view.show](width)} action={words.showAll} onAction={() => update({ show: "all" })} />;
  if (view.q) return <Card title={words.search} action={t.states.clear} onAction={() => update({ q: "" })} />;
  return <Card title={t.states.rangeTitle} text={words.text} action={t.traces.widen} onAction={() => update({ from: "-24h", to: "now" })} />;
}
