/** What of a trace is on screen, line by line: spans, and records of logs among them at their time. */
import type { LogRecord } from "../../api/types";
import type { Node, Trace } from "./tree";

export interface SpanRow {
  kind: "span";
  key: string;
  node: Node;
  closed: boolean;
}

export interface LogRow {
  kind: "log";
  key: string;
  record: LogRecord;
  /** The span that wrote it; null where that is not among the spans. */
  parent: Node | null;
  depth: number;
  /** Nanoseconds since the trace began. */
  at: number;
}

export type Row = SpanRow | LogRow;

/** The records of each span, oldest first; under `null` those of no span that is known. */
export function logsBySpan(trace: Trace, logs: readonly LogRecord[]): Map<Node | null, LogRow[]> {
  const found = new Map<Node | null, LogRow[]>();
  for (const record of logs) {
    const parent = (record.span_id === null ? undefined : trace.byId.get(record.span_id)) ?? null;
    const row: LogRow = {
      kind: "log", key: `log ${record.id}`, record, parent, depth: parent === null ? 0 : parent.depth + 1, at: Number(BigInt(record.time_ns) - trace.startNs),
    };
    const known = found.get(parent);
    if (known) known.push(row);
    else found.set(parent, [row]);
  }
  for (const rows of found.values()) rows.sort((a, b) => a.at - b.at);
  return found;
}

/** The rows with everything below closed spans left out. Among the children of a span its records stand by time. */
export function visibleRows(trace: Trace, closed: (node: Node) => boolean, logs: Map<Node | null, LogRow[]>): Row[] {
  const rows: Row[] = [];
  const stack: Row[] = [];
  const pushAll = (children: readonly Node[], own: readonly LogRow[] = []) => {
    const here: Row[] = [...children.map((node) => spanRow(node, closed)), ...own];
    if (own.length > 0) here.sort((a, b) => startOf(a) - startOf(b));
    for (let at = here.length - 1; at >= 0; at--) stack.push(here[at]!);
  };
  pushAll(trace.roots, logs.get(null));
  for (let row = stack.pop(); row; row = stack.pop()) {
    rows.push(row);
    if (row.kind === "span" && !row.closed) pushAll(row.node.children, logs.get(row.node));
  }
  return rows;
}

function spanRow(node: Node, closed: (node: Node) => boolean): SpanRow {
  return { kind: "span", key: `span ${node.index}`, node, closed: closed(node) };
}

function startOf(row: Row): number {
  return row.kind === "span" ? row.node.start : row.at;
}

/** Whether its name, service or an attribute of it has the text, or the message of a record. */
export function has(row: Row, wanted: string): boolean {
  const text = wanted.toLowerCase();
  const includes = (value: unknown) => typeof value === "string" && value.toLowerCase().includes(text);
  if (row.kind === "log") return includes(row.record.body) || includes(row.record.service);
  const { span } = row.node;
  return includes(span.name) || includes(span.service) || includes(span.span_id) || includes(span.status_message)
    || span.attributes.some(([name, value]) => includes(name) || includes(value));
}
