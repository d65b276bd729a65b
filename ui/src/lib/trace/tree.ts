/**
 * The tree of a trace, whatever was sent: parents that never came, ids that occur twice, rings, spans without an end.
 * Times become numbers of nanoseconds since the first span began, which a double holds exactly for a hundred days.
 * Nothing here recurses: a trace may be as deep as it is long.
 */
import type { Span } from "../../api/types";

export interface Node {
  /** Its place in the order of the tree, and its key. */
  index: number;
  span: Span;
  parent: Node | null;
  children: Node[];
  depth: number;
  /** Nanoseconds since the trace began. */
  start: number;
  end: number;
  /** Whether the sender said when it ended. */
  ended: boolean;
  /** Below it, itself not counted. */
  below: number;
  errorsBelow: number;
  /** It names a parent that is not among the spans. */
  orphan: boolean;
}

export interface Trace {
  roots: Node[];
  /** Each before its children. */
  nodes: Node[];
  byId: Map<string, Node>;
  startNs: bigint;
  /** Of the whole, in nanoseconds. */
  length: number;
  services: number;
  errors: number;
  deepest: number;
}

export function buildTrace(spans: readonly Span[]): Trace {
  const startNs = spans.reduce((least, span) => (BigInt(span.time_ns) < least ? BigInt(span.time_ns) : least), BigInt(spans[0]?.time_ns ?? 0));
  const made = spans.map((span) => node(span, startNs));
  const byId = new Map<string, Node>();
  // The caller's and the callee's half may share an id (Zipkin): what names it as its parent was called by the latter.
  for (const one of made) if (!byId.has(one.span.span_id) || isCallee(one)) byId.set(one.span.span_id, one);
  for (const one of made) adopt(one, byId, made);
  const nodes = inOrder(made);
  countBelow(nodes);
  return {
    roots: nodes.filter((one) => one.parent === null), nodes, byId, startNs,
    length: nodes.reduce((most, one) => Math.max(most, one.end), 0),
    services: new Set(nodes.map((one) => one.span.service)).size,
    errors: nodes.filter(isError).length,
    deepest: nodes.reduce((most, one) => Math.max(most, one.depth), 0),
  };
}

export function isError(node: Node): boolean {
  return node.span.status_code === "error";
}

function isCallee(node: Node): boolean {
  return node.span.kind === "server" || node.span.kind === "consumer";
}

function node(span: Span, startNs: bigint): Node {
  const start = Number(BigInt(span.time_ns) - startNs);
  const end = span.end_ns === null ? start : Math.max(start, Number(BigInt(span.end_ns) - startNs));
  return {
    index: 0, span, parent: null, children: [], depth: 0, start, end, ended: span.end_ns !== null, below: 0, errorsBelow: 0, orphan: false,
  };
}

function adopt(one: Node, byId: Map<string, Node>, all: Node[]): void {
  const { span } = one;
  const named = byId.get(span.span_id);
  const other = named === one && isCallee(one) ? sharedCaller(one, all) : null;
  const parent = other ?? (span.parent_span_id === null ? null : (byId.get(span.parent_span_id) ?? null));
  one.orphan = span.parent_span_id !== null && parent === null;
  if (parent === null || parent === one) return;
  one.parent = parent;
  parent.children.push(one);
}

const shared = new WeakMap<Node[], Map<string, Node>>();

/** The caller's half of a span of two halves. */
function sharedCaller(one: Node, all: Node[]): Node | null {
  let callers = shared.get(all);
  if (!callers) {
    callers = new Map(all.filter(({ span }) => span.kind === "client" || span.kind === "producer").map((caller) => [caller.span.span_id, caller]));
    shared.set(all, callers);
  }
  return callers.get(one.span.span_id) ?? null;
}

function byStart(a: Node, b: Node): number {
  return a.start - b.start || b.end - a.end;
}

/** Parents first, and children by their start. What only reaches itself begins where its ring begins first. */
function inOrder(made: Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const walk = (root: Node) => {
    const stack = [root];
    for (let one = stack.pop(); one; one = stack.pop()) {
      if (seen.has(one)) continue;
      seen.add(one);
      one.index = order.push(one) - 1;
      one.depth = one.parent === null ? 0 : one.parent.depth + 1;
      one.children.sort(byStart);
      for (let at = one.children.length - 1; at >= 0; at--) stack.push(one.children[at]!);
    }
  };
  made.filter((one) => one.parent === null).sort(byStart).forEach(walk);
  for (const one of made.filter((left) => !seen.has(left)).sort(byStart)) {
    if (seen.has(one)) continue;
    const parent = one.parent;
    if (parent) parent.children = parent.children.filter((child) => child !== one);
    one.parent = null;
    walk(one);
  }
  return order;
}

function countBelow(nodes: Node[]): void {
  for (let at = nodes.length - 1; at >= 0; at--) {
    const one = nodes[at]!;
    if (!one.parent) continue;
    one.parent.below += one.below + 1;
    one.parent.errorsBelow += one.errorsBelow + (isError(one) ? 1 : 0);
  }
}
