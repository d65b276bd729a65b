/** The ledger of senders: of a range, and of the time before it, because who is silent is told from both. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { grainOf, timeBefore, widthMs, type Grain } from "../lib/sources";
import { isLive, type Range } from "../lib/time";
import { api } from "./client";
import { liveInterval } from "./queries";
import type { SourcesAnswer } from "./types";

const AGAIN_MS = 10_000;
/** What was before is asked for again now and then: silence is long. */
const BEFORE_AGAIN_MS = 60_000;
/** Starts after an end without a stop that are shown. */
const STARTS = 20;
/** Sources that are shown without a chart, where there are too many to have one each. */
const MOST = 1000;

const USUAL = { structuralSharing: false, staleTime: Infinity } as const;

/** An answer, with what it was asked by. */
export interface LedgerOf {
  answer: SourcesAnswer;
  /** All sources, where the answer has only those that were heard last. */
  all: SourcesAnswer;
  grain: Grain;
  widthMs: number;
  elapsedMs: number;
}

async function read(range: Range, signal: AbortSignal): Promise<LedgerOf> {
  const started = performance.now();
  const width = widthMs(range, Date.now());
  const grain = grainOf(width);
  const asked = { from: range.from, to: range.to };
  const answer = await api.sources(asked, { series: grain.step, limit: grain.limit }, signal);
  const all = answer.more && grain.limit < MOST ? await api.sources(asked, { limit: MOST }, signal) : answer;
  return { answer, all, grain, widthMs: width, elapsedMs: performance.now() - started };
}

/** In the same steps as the range itself. */
function readBefore(earlier: Range, range: Range, signal: AbortSignal): Promise<SourcesAnswer> {
  const { step, limit } = grainOf(widthMs(range, Date.now()));
  return api.sources({ from: earlier.from, to: earlier.to }, { series: step, limit }, signal);
}

export function useLedger(range: Range, run: number, may: boolean) {
  const { from, to } = range;
  const ledger = useQuery({
    ...USUAL, placeholderData: keepPreviousData, queryKey: ["ledger", from, to, run], queryFn: ({ signal }) => read({ from, to }, signal), enabled: may,
    refetchInterval: ({ state }) => liveInterval(isLive(range), state.data?.elapsedMs ?? 0, AGAIN_MS),
  });
  const earlier = timeBefore(range);
  const before = useQuery({
    ...USUAL, queryKey: ["ledgerBefore", from], queryFn: ({ signal }) => readBefore(earlier ?? range, range, signal), enabled: may && earlier !== null, refetchInterval: BEFORE_AGAIN_MS,
  });
  return { ledger, before: earlier === null ? undefined : before.data };
}

/** When the server came up after an end without a stop, for those who may read the audit trail: it alone says so. */
export function useUncleanStarts({ from, to }: Range, may: boolean, started: string | undefined) {
  const found = useQuery({
    ...USUAL, placeholderData: keepPreviousData, queryKey: ["uncleanStarts", from, to, started], queryFn: ({ signal }) => api.uncleanStarts({ from, to }, STARTS, signal), enabled: may,
  });
  return found.data?.rows ?? [];
}
