/**
 * The critical path: the stretches of time that made the trace as long as it was. From the end of a span one goes back:
 * while a child ran, it is the child that counts, the one that ended last of those that ended by then; in between it is
 * the span itself. A child counts only while its parent runs, so what is done after the answer is not on the path.
 */
import type { Node } from "./tree";

/** From and to, in nanoseconds since the trace began. */
export type Stretch = [from: number, to: number];

/** The stretches of each span that is on the path, latest first. */
export function criticalPath(roots: readonly Node[]): Map<Node, Stretch[]> {
  const path = new Map<Node, Stretch[]>();
  const add = (node: Node, from: number, to: number) => {
    const known = path.get(node);
    if (known) known.push([from, to]);
    else path.set(node, [[from, to]]);
  };
  const root = longest(roots);
  if (!root) return path;
  const stack: [Node, number, number][] = [[root, root.start, root.end]];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const [node, from, to] = top;
    let at = to;
    for (const child of [...node.children].sort((a, b) => b.end - a.end || b.start - a.start)) {
      const [began, ended] = [Math.max(child.start, from), Math.min(child.end, to)];
      if (ended > at || ended <= began) continue;
      if (at > ended) add(node, ended, at);
      stack.push([child, began, ended]);
      at = began;
    }
    if (at > from) add(node, from, at);
  }
  return path;
}

/** Where parents are missing there are several roots; the longest tells most of why it took so long. */
function longest(roots: readonly Node[]): Node | undefined {
  return roots.reduce<Node | undefined>((most, one) => (most && most.end - most.start >= one.end - one.start ? most : one), undefined);
}

export function total(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, [from, to]) => sum + to - from, 0);
}
