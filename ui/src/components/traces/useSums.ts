import { useQueries } from "@tanstack/react-query";
import { api } from "../../api/client";
import { readSums, sumsSql, type Found, type Sums } from "../../lib/trace/search";

/** So many traces are summed up at a time. */
const CHUNK = 100;

export interface AllSums {
  known: Map<string, Sums>;
  failed: boolean;
}

/** What the whole traces come to. A chunk that is complete is asked for once. */
export function useSums(traces: Found[], through: string): AllSums {
  const chunks = Array.from({ length: Math.ceil(traces.length / CHUNK) }, (_, at) => traces.slice(at * CHUNK, (at + 1) * CHUNK));
  return useQueries({
    queries: chunks.map((chunk) => ({
      queryKey: ["traceSums", through, chunk.map(({ id }) => id).join()],
      queryFn: async ({ signal }: { signal: AbortSignal }) => readSums((await api.sql(sumsSql(chunk, through), signal)).rows),
      staleTime: Infinity,
      gcTime: 60_000,
      retry: false,
      structuralSharing: false,
    })),
    combine: together,
  });
}

function together(answers: { data: Map<string, Sums> | undefined; isError: boolean }[]): AllSums {
  return { known: new Map(answers.flatMap(({ data }) => (data ? [...data] : []))), failed: answers.some(({ isError }) => isError) };
}
