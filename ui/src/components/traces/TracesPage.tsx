import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { api } from "../../api/client";
import { useSpanOverview, useSpans } from "../../api/queries";
import { useMedia } from "../../lib/hooks";
import { focusSearch, move } from "../../lib/keys";
import { go, useViewOf, type Codec } from "../../lib/place";
import { absoluteRange, shift, zoomOut } from "../../lib/time";
import { compareAddress } from "../../lib/trace/compare";
import { byRoots, byTrace, formatTraces, parseTraces, searchOf, spanQuery, type TracesView } from "../../lib/trace/search";
import { t } from "../../strings";
import { Histogram } from "../Histogram";
import { IconButton } from "../Icon";
import { SlowNote } from "../Notes";
import { SearchBar } from "../SearchBar";
import { Shell, useBounds } from "../Shell";
import { Card, Failure } from "../States";
import { TimePicker } from "../TimePicker";
import { MarkBar } from "./MarkBar";
import { Scatter } from "./Scatter";
import { TraceFilters } from "./TraceFilters";
import { TraceList } from "./TraceList";
import { useSums } from "./useSums";

const CODEC: Codec<TracesView> = { parse: parseTraces, format: formatTraces, isStep: (before, after) => searchOf(before) !== searchOf(after) };
const ABOUT = { label: t.traces.searchLabel, placeholder: t.traces.placeholder, values: api.spanValues };
const ALL = { q: "", service: "", operation: "", least: "", most: "", errors: false, through: "" };

/** Looking for traces, by what their spans are. */
export function TracesPage() {
  const client = useQueryClient();
  const [view, update] = useViewOf(CODEC);
  const [run, setRun] = useState(0);
  const refresh = useCallback(() => setRun((n) => n + 1), []);
  const window = { q: spanQuery(view), from: view.from, to: view.to };
  const found = useSpans(window, run);
  const { histogram, fields } = useSpanOverview(window, run);
  const bounds = useBounds(view, histogram.data);
  const pages = found.data?.pages;
  const spans = useMemo(() => pages?.flatMap((page) => page.spans) ?? [], [pages]);
  const traces = useMemo(() => byTrace(spans), [spans]);
  const searching = found.isFetching && !found.isFetchingNextPage;
  const failed = found.isError && !found.isFetchNextPageError;
  const cancelled = !found.isFetching && !failed && (!pages || found.isPlaceholderData);
  const { through, marked } = view;
  const gone = failed || cancelled;
  const sums = useSums(traces, through);
  const shown = useMemo(
    () => (gone ? [] : through && !sums.failed ? traces.filter(({ id }) => (sums.known.get(id)?.through ?? 0) > 0) : traces), [traces, through, sums, gone],
  );
  const narrow = useMedia("(max-width: 900px)");
  const isPlotted = view.scatter === "" ? !narrow : view.scatter === "1";
  const plot = () => update({ scatter: isPlotted === narrow ? "" : isPlotted ? "0" : "1" });
  const mark = useCallback((id: string) => {
    if (marked === "" || marked === id) update({ marked: marked === id ? "" : id });
    else go(compareAddress(marked, id));
  }, [marked, update]);
  const keys = {
    d: plot, m: () => move("mark"),
    "/": focusSearch, j: () => move("down"), k: () => move("up"), ArrowDown: () => move("down"), ArrowUp: () => move("up"), g: () => move("top"),
    "[": () => update(shift(bounds.fromNs, bounds.toNs, -1)), "]": () => update(shift(bounds.fromNs, bounds.toNs, 1)),
    "-": () => update(zoomOut(view, bounds.fromNs, bounds.toNs, BigInt(Date.now()) * 1_000_000n)),
  };
  const cancel = () => void client.cancelQueries({ queryKey: ["spans"] });
  const partial = pages?.find((page) => page.partial)?.partial;
  return (
    <Shell
      title={t.pages.traces} keys={keys} onControls={{ Enter: () => move("open") }} help={t.traces.keys} refresh={refresh} error={found.error}
      tools={
        <>
          <SearchBar view={view} update={update} fields={fields} error={found.error} refresh={refresh} about={ABOUT} />
          <TimePicker view={view} update={update} range={bounds} />
          <IconButton name="scatter" label={isPlotted ? t.scatter.hide : t.scatter.show} pressed={isPlotted} onClick={plot} />
        </>
      }
      footer={
        <>
          {pages && !failed && (
            <span className="footer-main" data-traces={traces.length}>
              {t.traces.shown(traces.length, found.hasNextPage)}, {byRoots(view) ? t.traces.byRoots : t.traces.byMatch(spans.length)}
            </span>
          )}
          {partial && <strong className="text-warn">{t.states.partial(partial.reason, partial.missing)}</strong>}
        </>
      }
    >
      <TraceFilters view={view} update={update} clear={() => update(ALL)} />
      <Histogram
        answer={histogram.data} failed={histogram.isError} stale={histogram.isPlaceholderData} of={t.traces.histogram}
        onZoom={(from, to) => update(absoluteRange(from, to))}
      />
      {isPlotted && <Scatter traces={shown} sums={sums} bounds={bounds} stale={found.isPlaceholderData} update={update} />}
      {marked && <MarkBar marked={marked} clear={() => update({ marked: "" })} />}
      <SlowNote active={searching} onCancel={cancel} />
      <main className="main" id="view">
        <h1 className="offscreen">{t.pages.traces}</h1>
        <TraceList
          traces={gone ? [] : traces} shown={shown} sums={sums} marked={marked} mark={mark} through={through} stale={found.isPlaceholderData} viewKey={searchOf(view)}
          paging={{ more: found.hasNextPage, busy: found.isFetchingNextPage, failed: found.isFetchNextPageError, next: () => void found.fetchNextPage() }}
        >
          {failed && <Failure error={found.error} refresh={refresh} />}
          {!failed && !pages && searching && <div className="state-quiet muted" role="status">{t.states.loading}…</div>}
          {cancelled && <Card title={t.states.cancelled} action={t.states.retry} onAction={refresh} />}
          {!failed && !cancelled && pages && traces.length === 0 && <Nothing view={view} update={update} />}
        </TraceList>
      </main>
    </Shell>
  );
}

function Nothing({ view, update }: { view: TracesView; update(patch: Partial<TracesView>): void }) {
  const asked = formatTraces({ ...view, ...ALL }) !== formatTraces(view);
  if (asked) return <Card title={t.traces.nothing} text={t.traces.nothingText} action={t.traces.clear} onAction={() => update(ALL)} />;
  const widen = () => update({ from: "-24h", to: "now" });
  return <Card title={t.traces.none} text={t.traces.noneText} action={t.traces.widen} onAction={widen} />;
}
