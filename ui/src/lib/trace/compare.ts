/** Two traces, path by path. Times are of one trace each, so that clocks and ids of the two need not agree. */
import { stepName, type Path, type Paths } from "./paths";
import { searchText } from "../url";
import { SPANS } from "./view";

export interface Side {
  count: number;
  total: number;
  self: number;
  errors: number;
}

export interface Pair {
  key: number;
  service: string;
  operation: string;
  parent: Pair | null;
  depth: number;
  /** Null where the trace has no such path. */
  a: Side | null;
  b: Side | null;
  /** B less A, in nanoseconds. */
  total: number;
  self: number;
}

/** Each before what it calls; those of A first, in its order. */
export function pairUp(a: Paths, b: Paths): Pair[] {
  const pairs: Pair[] = [];
  const queue: [Pair | null, readonly Path[], readonly Path[]][] = [[null, a.roots, b.roots]];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const [parent, ofA, ofB] = next;
    const matches = new Map(ofB.map((path) => [nameOf(path), path]));
    for (const path of ofA) {
      const other = matches.get(nameOf(path));
      matches.delete(nameOf(path));
      add(pairs, queue, parent, path, other);
    }
    for (const path of matches.values()) add(pairs, queue, parent, undefined, path);
  }
  return pairs;
}

function nameOf(path: Path): string {
  return stepName({ service: path.service, name: path.operation });
}

function add(pairs: Pair[], queue: [Pair | null, readonly Path[], readonly Path[]][], parent: Pair | null, a: Path | undefined, b: Path | undefined): void {
  const { service, operation } = (a ?? b)!;
  const pair: Pair = {
    key: pairs.length, service, operation, parent, depth: parent === null ? 0 : parent.depth + 1, a: side(a), b: side(b),
    total: (b?.total ?? 0) - (a?.total ?? 0), self: (b?.self ?? 0) - (a?.self ?? 0),
  };
  pairs.push(pair);
  queue.push([pair, a?.children ?? [], b?.children ?? []]);
}

function side(path: Path | undefined): Side | null {
  return path ? { count: path.nodes.length, total: path.total, self: path.self, errors: path.errors } : null;
}

export type Only = "all" | "a" | "b" | "both";

export function isOf(pair: Pair, only: Only): boolean {
  return only === "all" || (only === "both" ? pair.a !== null && pair.b !== null : pair[only] !== null && pair[only === "a" ? "b" : "a"] === null);
}

export type Order = "self" | "total";

/** The largest difference first, whichever way it goes; what is only in one comes before what is the same in both. */
export function byDifference(pairs: readonly Pair[], order: Order): Pair[] {
  const lonely = (pair: Pair) => (pair.a === null || pair.b === null ? 1 : 0);
  return [...pairs].sort((x, y) => Math.abs(y[order]) - Math.abs(x[order]) || lonely(y) - lonely(x) || x.key - y.key);
}

export interface CompareView {
  order: Order;
  only: Only;
  most: number;
}

export function parseCompare(search: string): CompareView {
  const params = new URLSearchParams(search);
  const [only, most] = [params.get("only"), Number(params.get("most"))];
  return {
    order: params.get("order") === "total" ? "total" : "self", only: only === "a" || only === "b" || only === "both" ? only : "all",
    most: SPANS.includes(most) ? most : SPANS[0]!,
  };
}

export function formatCompare(view: CompareView): string {
  const params = new URLSearchParams();
  if (view.order !== "self") params.set("order", view.order);
  if (view.only !== "all") params.set("only", view.only);
  if (view.most !== SPANS[0]) params.set("most", String(view.most));
  return searchText(params);
}

export function compareAddress(a: string, b: string): string {
  return `/traces/${encodeURIComponent(a)}/compare/${encodeURIComponent(b)}`;
}

/** A trace id, or an address of the console that names one. */
export function traceIdIn(text: string): string | null {
  const id = (/\/traces\/([0-9a-f]{1,32})(?:$|[/?#])/i.exec(text.trim())?.[1] ?? text.trim()).toLowerCase();
  return /^[0-9a-f]{1,32}$/.test(id) && !/^0+$/.test(id) ? id : null;
}
