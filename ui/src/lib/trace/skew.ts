/**
 * Whether a span lies outside its parent although it cannot: then the clocks of two hosts disagree. Nothing is moved, it
 * is only said. Messages are taken when they are taken, so between producer and consumer only a start too early counts;
 * and any child may outlast its parent, except for the answer that a caller waits for.
 */
import type { Node } from "./tree";

export interface Skew {
  /** It begins before its parent does, begins when that has ended, or ends after a caller that waits for it. */
  how: "begins_before" | "begins_after" | "ends_after";
  /** By so many nanoseconds. */
  by: number;
}

export function skew(node: Node): Skew | null {
  const { parent } = node;
  if (!parent) return null;
  if (node.start < parent.start) return { how: "begins_before", by: parent.start - node.start };
  const isMessage = node.span.kind === "consumer" || parent.span.kind === "producer";
  if (isMessage || !parent.ended) return null;
  const isAnswer = node.span.kind === "server" && parent.span.kind === "client";
  if (!isAnswer) return null;
  if (node.start > parent.end) return { how: "begins_after", by: node.start - parent.end };
  return node.end > parent.end ? { how: "ends_after", by: node.end - parent.end } : null;
}
