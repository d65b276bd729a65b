import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { UnreachableError } from "./api/client";
import { cancelSearch, useFields, useHistogram, useLogs, useStatus } from "./api/queries";
import { ExportButton } from "./components/export/ExportButton";
import { Facets } from "./components/Facets";
import { Footer } from "./components/Footer";
import { Groups } from "./components/Groups";
import { Histogram } from "./components/Histogram";
import { LogList } from "./components/LogList";
import { RecordPanel } from "./components/RecordPanel";
import { Shortcuts } from "./components/Shortcuts";
import { AwayBanner, SlowNote } from "./components/Notes";
import { ListState, NeverSent } from "./components/States";
import { OneTemplate } from "./components/Template";
import { TopBar } from "./components/TopBar";
import { useLasting, useMedia } from "./lib/hooks";
import { useKeys } from "./lib/keys";
import { absoluteRange, durationNs } from "./lib/time";
import { tailWanted } from "./lib/url";
import { rowsOf, rowsOfRecords } from "./lib/pages";
import { stack, useTail } from "./lib/useTail";
import { useView } from "./lib/view";
import { t } from "./strings";

/** For so long the list has the server for itself: fields are counted of all records, and one looks at the list first. */
const LIST_ALONE_MS = 200;
const NO_ROWS = rowsOfRecords([]);

export function App() {
  const client = useQueryClient();
  const [view, update] = useView();
  const [run, setRun] = useState(0);
  const [cancelled, setCancelled] = useState(false);
  const narrow = useMedia("(max-width: 900px)");
  const [facetsOpen, setFacetsOpen] = useState(() => !window.matchMedia("(max-width: 900px)").matches);
  const [shortcuts, setShortcuts] = useState(false);
  const refresh = useCallback(() => setRun((n) => n + 1), []);

  const status = useStatus();
  const logs = useLogs(view, run);
  const listKey = [view.q, view.from, view.to, view.template, view.order].join("\0");
  const wanted = tailWanted(view) && !(logs.isError && !(logs.error instanceof UnreachableError));
  const tail = useTail({ q: view.q, list: listKey, wanted, run, resync: refresh });
  const live = tail.state === "live";
  const searchable = !logs.isError;
  const histogram = useHistogram(view, run, live, searchable);
  const searching = logs.isFetching && !logs.isFetchingNextPage;
  const slow = useLasting(searching, LIST_ALONE_MS);
  const fields = useFields(view, run, live, searchable && (!searching || slow));
  const away = status.error instanceof UnreachableError;
  const recheck = status.refetch;
  const suspect = tail.state === "away" || logs.error instanceof UnreachableError;
  useEffect(() => { if (suspect) void recheck(); }, [suspect, recheck]);
  useRefreshOnReturn(status.error instanceof UnreachableError, refresh);
  useEffect(() => setCancelled(false), [listKey, run]);

  const pages = logs.data?.pages;
  const loaded = useMemo(() => rowsOf(pages ?? []), [pages]);
  const complete = pages?.[pages.length - 1]?.next === null;
  const rows = useMemo(() => {
    if ((logs.isError && !logs.isFetchNextPageError) || (cancelled && logs.isPlaceholderData)) return NO_ROWS;
    return tail.cut ? rowsOfRecords(tail.shown) : stack(tail.shown, loaded, complete);
  }, [tail.shown, tail.cut, loaded, complete, logs.isError, logs.isFetchNextPageError, cancelled, logs.isPlaceholderData]);

  const never = status.data?.records === 0 && rows.length === 0 && !away;
  useRefreshOnReturn(never, refresh);
  const cancel = () => {
    setCancelled(true);
    cancelSearch(client);
  };

  const answer = histogram.data?.answer;
  const grouped = answer?.by ? { ...t.histogram, label: t.groups.over(answer.by.field) } : t.histogram;
  const range = useMemo(() => {
    if (answer) return { fromNs: BigInt(answer.from_ns), toNs: BigInt(answer.to_ns) };
    const now = BigInt(Date.now()) * 1_000_000n;
    return { fromNs: now - (durationNs(view.from) ?? 900_000_000_000n), toNs: now };
  }, [answer, view.from]);
  const zoom = (fromNs: bigint, toNs: bigint) => update(absoluteRange(fromNs, toNs));
  const toggleFacets = () => setFacetsOpen((open) => !open);
  const openRecord = (id: string | null) => {
    if (id !== null) tail.pause();
    update({ record: id });
  };

  useKeys({ view, update, rows, range, tail, refresh, openRecord, toggleFacets, shortcuts, setShortcuts });

  return (
    <div className="app">
      <a className="skip" href="#records">{t.list.label}</a>
      <TopBar
        view={view} update={update} range={range} tail={tail} fields={fields.data?.answer.fields ?? []}
        error={logs.error} refresh={refresh} onShortcuts={() => setShortcuts(true)} onFacets={toggleFacets}
        facetsOpen={facetsOpen}
      />
      <AwayBanner away={away} />
      {view.template !== "" && <OneTemplate view={view} update={update} />}
      {never ? (
        <NeverSent status={status.data} />
      ) : (
        <>
          <Histogram answer={answer} failed={histogram.isError} stale={histogram.isPlaceholderData} onZoom={zoom} of={grouped} />
          {answer && view.by !== "" && <Groups answer={answer} view={view} update={update} />}
          <SlowNote active={searching} onCancel={cancel} />
          <main className="main" id="records">
            {facetsOpen && (
              <Facets
                fields={fields.data?.answer.fields} total={fields.data?.answer.total ?? 0} view={view} update={update}
                overlay={narrow} onClose={() => setFacetsOpen(false)}
              />
            )}
            <LogList
              rows={rows} view={view} update={update} tail={tail} narrow={narrow} stale={logs.isPlaceholderData}
              openRecord={openRecord} refresh={refresh}
              paging={{
                more: !tail.cut && logs.hasNextPage, busy: logs.isFetchingNextPage, failed: logs.isFetchNextPageError,
                next: () => void logs.fetchNextPage(),
              }}
            >
              {rows.length === 0 && (
                <ListState
                  view={view} update={update} error={logs.error} loading={searching} cancelled={cancelled}
                  status={status.data} live={live} range={range} refresh={refresh}
                />
              )}
            </LogList>
            {view.record && (
              <RecordPanel key={view.record} id={view.record} rows={rows} view={view} update={update} open={openRecord} />
            )}
          </main>
        </>
      )}
      <Footer
        status={status.data} total={answer?.total} stats={pages?.[0]?.stats} tail={tail}
        partial={pages?.find((page) => page.partial)?.partial ?? null} refresh={refresh}
      >
        {!never && <ExportButton view={view} range={range} total={answer?.total} />}
      </Footer>
      {shortcuts && <Shortcuts onClose={() => setShortcuts(false)} />}
    </div>
  );
}

/** Runs `refresh` when `absent` turns from true to false: the server is back, or the first record came. */
function useRefreshOnReturn(absent: boolean, refresh: () => void): void {
  const [was, setWas] = useState(absent);
  useEffect(() => {
    if (was && !absent) refresh();
    setWas(absent);
  }, [was, absent, refresh]);
}
