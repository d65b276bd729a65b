/** What is fetched, under which key, and when again. `run` counts the reader's own refreshes of a relative range. */
import { keepPreviousData, useInfiniteQuery, useQuery, type QueryClient } from "@tanstack/react-query";
import { MOST_GROUPS } from "../lib/groups";
import { againAfter, type OverviewView } from "../lib/overview";
import { storedPage } from "../lib/pages";
import { onlyNew, type PatternsView } from "../lib/patterns";
import { isTemplateId } from "../lib/template";
import { absoluteRange, type Range } from "../lib/time";
import type { View } from "../lib/url";
import { ApiError, api, type Window } from "./client";
import type { Field, LogRecord, PatternsAnswer } from "./types";

export const PAGE = 500;
/** Of logs the first has what fills a few screens: that is what one waits for. */
const FIRST_PAGE = 200;
export const BUCKETS = 72;

export function windowOf(view: Pick<View, "q" | "from" | "to"> & Partial<Pick<View, "template">>): Window {
  return { q: view.q, from: view.from, to: view.to, template: view.template ?? "" };
}

/** A wrong request stays wrong; a busy server deserves another try or two. An absent one is watched by the status. */
export function retry(failures: number, error: Error): boolean {
  return error instanceof ApiError && (error.status === 429 || error.status === 503) && failures < 3;
}

export function useLogs(view: View, run: number) {
  const window = windowOf(view);
  return useInfiniteQuery({
    queryKey: ["logs", window, view.order, run],
    queryFn: async ({ pageParam, signal }) => storedPage(await api.logsText(window, { limit: pageParam === undefined ? FIRST_PAGE : PAGE, order: view.order, after: pageParam }, signal)),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    gcTime: 30_000,
    staleTime: Infinity,
  });
}

/** While live, again after 5 s, or ten times as long as the last one took, so that watching never is the load. */
export function liveInterval(live: boolean, elapsedMs: number, floorMs: number): number | false {
  return live ? Math.max(floorMs, elapsedMs * 10) : false;
}

export function useHistogram(view: View, run: number, live: boolean, enabled: boolean) {
  const window = windowOf(view);
  return useQuery({
    queryKey: ["histogram", window, view.by, run],
    queryFn: async ({ signal }) => {
      const started = performance.now();
      const by = view.by === "" ? {} : { by: view.by, top: MOST_GROUPS };
      const answer = await api.histogram(window, { buckets: BUCKETS, ...by }, signal);
      return { answer, elapsedMs: performance.now() - started };
    },
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    enabled,
    refetchInterval: (query) => liveInterval(live, query.state.data?.elapsedMs ?? 0, 5000),
  });
}

export function useFields(view: Parameters<typeof windowOf>[0], run: number, live: boolean, enabled: boolean) {
  const window = windowOf(view);
  return useQuery({
    queryKey: ["fields", window, run],
    queryFn: async ({ signal }) => {
      const started = performance.now();
      const answer = await api.fields(window, signal);
      return { answer, elapsedMs: performance.now() - started };
    },
    placeholderData: keepPreviousData,
    structuralSharing: false,
    staleTime: Infinity,
    enabled,
    refetchInterval: (query) => liveInterval(live, query.state.data?.elapsedMs ?? 0, 20_000),
  });
}

/** The histogram and the fields of spans, whose range the server resolved. */
export function useSpanOverview(window: Window, run: number) {
  const histogram = useQuery({
    queryKey: ["spanHistogram", window, run],
    queryFn: ({ signal }) => api.spanHistogram(window, BUCKETS, signal),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
  return { histogram, fields: useSpanFields(window, run) };
}

/** Those of all spans of the range, whatever is searched: they are offered to search for. */
export function useSpanFields({ from, to }: Window, run: number, enabled = true): Field[] {
  const fields = useQuery({
    queryKey: ["spanFields", from, to, run],
    queryFn: ({ signal }) => api.spanFields({ from, to, q: "" }, signal),
    placeholderData: keepPreviousData,
    structuralSharing: false,
    staleTime: Infinity,
    enabled,
  });
  return fields.data?.fields ?? NO_FIELDS;
}

const NO_FIELDS: Field[] = [];

export function useSpans(window: Window, run: number) {
  return useInfiniteQuery({
    queryKey: ["spans", window, run],
    queryFn: ({ pageParam, signal }) => api.spans(window, { limit: PAGE, after: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    gcTime: 30_000,
    staleTime: Infinity,
  });
}

export function useTrace(id: string, spans: number, logs: number) {
  return useQuery({
    queryKey: ["trace", id, spans, logs],
    queryFn: ({ signal }) => api.trace(id, { spans, logs }, signal),
    structuralSharing: false,
    staleTime: Infinity,
    gcTime: 60_000,
  });
}

export const SERVICES = 500;
export const EDGES = 1000;
/** Errors among which the newest of each service are looked for. */
export const ERRORS = 500;

export function useServices(window: Window, run: number) {
  const usual = { placeholderData: keepPreviousData, staleTime: Infinity, structuralSharing: false } as const;
  const services = useQuery({ ...usual, queryKey: ["services", window, run], queryFn: ({ signal }) => api.services(window, SERVICES, signal) });
  const graph = useQuery({ ...usual, queryKey: ["graph", window, run], queryFn: ({ signal }) => api.graph(window, EDGES, signal) });
  const { from, to } = window;
  // What the page shows without them comes first.
  const errors = useQuery({
    ...usual, queryKey: ["newestErrors", from, to, run], enabled: [services, graph].every(({ data, isPlaceholderData }) => data !== undefined && !isPlaceholderData),
    queryFn: async ({ signal }) => {
      const [logs, spans] = await Promise.all([
        api.logs({ q: "severity:error or severity:fatal", from, to }, { limit: ERRORS, order: "desc" }, signal),
        api.spans({ q: "span.status.code:error", from, to }, { limit: ERRORS }, signal),
      ]);
      return { logs: logs.records, spans: spans.spans, all: logs.next === null && spans.next === null };
    },
  });
  return { services, graph, errors };
}

export const OVERVIEW_SERVICES = 100;

export function useOverview(view: OverviewView, run: number) {
  return useQuery({
    queryKey: ["overview", view.from, view.to, run],
    queryFn: async ({ signal }) => {
      const started = performance.now();
      const answer = await api.overview({ from: view.from, to: view.to }, OVERVIEW_SERVICES, signal);
      return { answer, elapsedMs: performance.now() - started };
    },
    placeholderData: keepPreviousData,
    structuralSharing: false,
    staleTime: Infinity,
    refetchInterval: ({ state }) => againAfter(view, state.data?.answer, state.data?.elapsedMs ?? 0) ?? false,
  });
}

export const PATTERNS = 500;
/** Bars of a chart in a row. */
const TREND = 30;

/** All of them, with how many are new and gone; those alone are asked for only where that is more than the first answer has. */
export function usePatterns({ q, from, to, show }: PatternsView, run: number) {
  const asked = { limit: PATTERNS, buckets: TREND, compare: "true" } as const;
  const all = useQuery({
    queryKey: ["patterns", { q, from, to }, run],
    queryFn: ({ signal }) => api.patterns({ q, from, to }, asked, signal),
    placeholderData: keepPreviousData,
    structuralSharing: false,
    staleTime: Infinity,
  });
  const answer = all.data;
  const fresh = answer && onlyNew(answer);
  const isPart = answer !== undefined && !all.isPlaceholderData && (show === "gone" || (show === "new" && !fresh));
  const part = useQuery({
    queryKey: ["patterns", "part", q, answer?.from_ns, answer?.to_ns, show],
    queryFn: ({ signal }) => api.patterns({ q, ...resolved(answer!) }, { ...asked, show: show === "gone" ? "gone" : "new" }, signal),
    enabled: isPart,
    structuralSharing: false,
    staleTime: Infinity,
  });
  const whole = show === "all" ? answer?.patterns : show === "new" && fresh ? fresh : undefined;
  const shown = isPart ? { patterns: part.data?.patterns, more: part.data?.more ?? 0, error: part.error } : { patterns: whole, more: whole && show === "all" ? answer!.more : 0, error: null };
  return { all, shown, fetching: all.isFetching || part.isFetching };
}

/** The same time, however much later one asks. */
function resolved({ from_ns: from, to_ns: to }: PatternsAnswer): Range {
  return absoluteRange(BigInt(from), BigInt(to));
}

/** One that is not among those that are listed. */
export function useOnePattern({ q, open }: PatternsView, answer: PatternsAnswer, enabled: boolean) {
  const window = { q, ...resolved(answer), template: open };
  return useQuery({
    queryKey: ["pattern", window],
    queryFn: async ({ signal }) => {
      const { patterns } = await api.patterns(window, { limit: 1, buckets: TREND, compare: "true" }, signal);
      return patterns[0] ?? (await api.patterns(window, { limit: 1, buckets: TREND, compare: "true", show: "gone" }, signal)).patterns[0] ?? null;
    },
    enabled,
    staleTime: Infinity,
    retry,
  });
}

export function usePatternHistogram(window: Window) {
  return useQuery({
    queryKey: ["patternHistogram", window],
    queryFn: ({ signal }) => api.histogram(window, { buckets: BUCKETS }, signal),
    staleTime: Infinity,
  });
}

/** Values of one variable. */
export const VALUES = 10;

export function useVariables(window: Window & { template: string }) {
  return useQuery({
    queryKey: ["variables", window],
    queryFn: ({ signal }) => api.variables(window, VALUES, signal),
    staleTime: Infinity,
    retry,
  });
}

/** So little time that next to nothing is read: the text of a template is in lists. */
const NO_TIME = { q: "", from: "-1ms", to: "now" };

/** The text behind an id; a text is its own. */
export function useTemplateText(asked: string) {
  const isId = isTemplateId(asked);
  const answer = useQuery({
    queryKey: ["templateText", asked],
    queryFn: ({ signal }) => api.variables({ ...NO_TIME, template: asked }, 1, signal),
    enabled: isId,
    staleTime: Infinity,
    retry,
  });
  return isId ? answer.data?.template : asked;
}

export function useRecord(id: string | null, known: LogRecord | undefined) {
  return useQuery({
    queryKey: ["record", id],
    queryFn: ({ signal }) => api.record(id ?? "", signal),
    enabled: id !== null && known === undefined,
    staleTime: Infinity,
  });
}

export function useContextLines(id: string, lines: number, enabled: boolean) {
  return useQuery({
    queryKey: ["context", id, lines],
    queryFn: ({ signal }) => api.context(id, lines, lines, signal),
    enabled,
    staleTime: Infinity,
    placeholderData: keepPreviousData,
  });
}

/** Every second until the first record came or while the server is away, else every 15. */
export const SAVED_VIEWS = ["views"];

export function useSavedViews(enabled = true) {
  return useQuery({ queryKey: SAVED_VIEWS, queryFn: ({ signal }) => api.views(signal), retry, enabled });
}

export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => api.status(signal),
    retry: false,
    refetchIntervalInBackground: false,
    refetchInterval: (query) => (query.state.error || query.state.data?.records === 0 ? 1000 : 15_000),
  });
}

export function cancelSearch(client: QueryClient): void {
  for (const key of ["logs", "histogram", "fields"]) void client.cancelQueries({ queryKey: [key] });
}
