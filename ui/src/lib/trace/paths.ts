/**
 * Calls merged by path: spans are one where service and operation are the same, and those of everything above them. It is
 * what the flame view draws and what two traces are compared by: ids differ from trace to trace, paths do not.
 * Nothing here recurses: a path may be as long as a trace is.
 */
import { isError, type Node, type Trace } from "./tree";

export interface Path {
  service: string;
  operation: string;
  parent: Path | null;
  /** The widest first. */
  children: Path[];
  depth: number;
  /** The first of them names the path in an address. */
  nodes: Node[];
  /** Nanoseconds of its spans, summed. */
  total: number;
  /** The part of `total` in which nothing ran that they called. */
  self: number;
  errors: number;
  /** What it is drawn by: `total`, or that of its children where they ran side by side and come to more. */
  weight: number;
}

export interface Paths {
  roots: Path[];
  /** Each before its children. */
  all: Path[];
  of: Map<Node, Path>;
  /** Of the roots, summed. */
  weight: number;
}

export function mergePaths(trace: Trace): Paths {
  const of = new Map<Node, Path>();
  const known = new Map<Path | null, Map<string, Path>>();
  const all: Path[] = [];
  for (const node of trace.nodes) {
    const parent = node.parent === null ? null : (of.get(node.parent) ?? null);
    const path = childOf(parent, node, known, all);
    path.nodes.push(node);
    path.total += node.end - node.start;
    path.self += selfTime(node);
    if (isError(node)) path.errors++;
    of.set(node, path);
  }
  weigh(all);
  const roots = all.filter(({ parent }) => parent === null).sort(widest);
  return { roots, all, of, weight: roots.reduce((sum, { weight }) => sum + weight, 0) };
}

function childOf(parent: Path | null, { span }: Node, known: Map<Path | null, Map<string, Path>>, all: Path[]): Path {
  const siblings = known.get(parent) ?? new Map<string, Path>();
  known.set(parent, siblings);
  const name = stepName(span);
  const found = siblings.get(name);
  if (found) return found;
  const made: Path = {
    service: span.service, operation: span.name, parent, children: [], depth: parent === null ? 0 : parent.depth + 1, nodes: [], total: 0, self: 0, errors: 0, weight: 0,
  };
  siblings.set(name, made);
  parent?.children.push(made);
  all.push(made);
  return made;
}

/** One step of a path. Names are what senders wrote, so that no character between the two could be trusted. */
export function stepName({ service, name }: { service: string; name: string }): string {
  return JSON.stringify([service, name]);
}

function widest(a: Path, b: Path): number {
  return b.weight - a.weight;
}

function weigh(all: Path[]): void {
  const below = new Map<Path, number>();
  for (let at = all.length - 1; at >= 0; at--) {
    const path = all[at]!;
    path.weight = Math.max(path.total, below.get(path) ?? 0);
    path.children.sort(widest);
    if (path.parent) below.set(path.parent, (below.get(path.parent) ?? 0) + path.weight);
  }
}

/** Nanoseconds of a span in which none of its children ran. */
export function selfTime(node: Node): number {
  let [self, at] = [node.end - node.start, node.start];
  // Children stand by their start.
  for (const child of node.children) {
    const [from, to] = [Math.max(at, child.start), Math.min(node.end, child.end)];
    if (to <= from) continue;
    self -= to - from;
    at = to;
  }
  return self;
}

export interface Box {
  path: Path;
  /** Shares of the width. */
  left: number;
  width: number;
}

/**
 * Where each path lies, a row for each depth below `top` (or below nothing, for all), as far as it is `least` wide. A child begins
 * where the one before it ends; what is above `top` fills the width.
 */
export function layOut(paths: Paths, top: Path | null, least: number): { rows: Box[][]; narrow: number } {
  const rows: Box[][] = [];
  let drawn = 0;
  const put = (row: number, box: Box) => { drawn++; (rows[row] ??= []).push(box); };
  const above = ancestors(top);
  above.forEach((path, row) => put(row, { path, left: 0, width: 1 }));
  const begin: [readonly Path[], number, number, number] = top === null ? [paths.roots, above.length, 0, 1 / (paths.weight || 1)] : [[top], above.length, 0, 1 / (top.weight || 1)];
  const queue = [begin];
  for (let index = 0; index < queue.length; index++) {
    const [siblings, row, from, scale] = queue[index]!;
    let left = from;
    for (const path of siblings) {
      const width = path.weight > 0 ? path.weight * scale : path === top ? 1 : 0;
      if (width >= least) {
        put(row, { path, left, width });
        queue.push([path.children, row + 1, left, scale]);
      }
      left += width;
    }
  }
  return { rows, narrow: above.length + (top === null ? paths.all.length : countOf(top)) - drawn };
}

/** From the outermost on. */
export function ancestors(path: Path | null): Path[] {
  const found: Path[] = [];
  for (let above = path?.parent ?? null; above; above = above.parent) found.push(above);
  return found.reverse();
}

function countOf(top: Path): number {
  const left = [top];
  let count = 0;
  for (let path = left.pop(); path; path = left.pop()) {
    count++;
    for (const child of path.children) left.push(child);
  }
  return count;
}

export function hasText(path: { service: string; operation: string }, wanted: string): boolean {
  const text = wanted.toLowerCase();
  return path.service.toLowerCase().includes(text) || path.operation.toLowerCase().includes(text);
}
