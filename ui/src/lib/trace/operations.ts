/** The spans of a trace by what they do, wherever they were called from: the flame view as a table. */
import { selfTime, stepName } from "./paths";
import { isError, type Node, type Trace } from "./tree";

export interface Operation {
  service: string;
  operation: string;
  count: number;
  /** Nanoseconds, those within another span of the same operation not counted again. */
  total: number;
  self: number;
  p95: number;
  errors: number;
}

export const BY = ["operation", "count", "total", "self", "p95", "errors"] as const;
export type By = (typeof BY)[number];

export function operations(trace: Trace): Operation[] {
  const groups = new Map<string, Node[]>();
  for (const node of trace.nodes) {
    const name = stepName(node.span);
    const known = groups.get(name);
    if (known) known.push(node);
    else groups.set(name, [node]);
  }
  const repeats = withinItself(trace);
  return [...groups.values()].map((nodes) => sum(nodes, repeats));
}

function sum(nodes: Node[], repeats: Set<Node>): Operation {
  const { service, name } = nodes[0]!.span;
  const lengths = nodes.map((node) => node.end - node.start).sort((a, b) => a - b);
  return {
    service, operation: name, count: nodes.length, total: nodes.reduce((all, node) => all + (repeats.has(node) ? 0 : node.end - node.start), 0),
    self: nodes.reduce((all, node) => all + selfTime(node), 0), p95: lengths[Math.ceil(lengths.length * 0.95) - 1]!, errors: nodes.filter(isError).length,
  };
}

/** The spans below one of the same operation. One walk that remembers what is open: looking up from each would take a square of the depth. */
function withinItself(trace: Trace): Set<Node> {
  const found = new Set<Node>();
  const open = new Map<string, number>();
  const above: string[] = [];
  for (const node of trace.nodes) {
    while (above.length > node.depth) {
      const left = above.pop()!;
      open.set(left, open.get(left)! - 1);
    }
    const name = stepName(node.span);
    if ((open.get(name) ?? 0) > 0) found.add(node);
    open.set(name, (open.get(name) ?? 0) + 1);
    above.push(name);
  }
  return found;
}

/** The largest first, names from A on; turned, the other way round. */
export function sortOperations(all: readonly Operation[], by: By, turned: boolean): Operation[] {
  const name = (one: Operation) => `${one.service}\0${one.operation}`;
  const byName = (a: Operation, b: Operation) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0);
  const order = by === "operation" ? byName : (a: Operation, b: Operation) => b[by] - a[by] || byName(a, b);
  const found = [...all].sort(order);
  return turned ? found.reverse() : found;
}
