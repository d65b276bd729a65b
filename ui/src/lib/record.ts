/** Reading one record: a field by its name, and whether it is an access log that fits one compact line. */
import type { Attributes, Json, LogRecord } from "../api/types";

export type Place = "attributes" | "resource" | "scope" | "record";

/** Names that mean a part of the record itself in a query, whatever attributes are called so. */
const BUILT_IN = new Set([
  "body", "message", "msg", "original", "log.record.original", "event.original", "severity", "level", "log.level",
  "severity_number", "severity_text", "trace_id", "span_id", "trace", "trace.id", "span.id", "event_name", "scope.name",
  "scope.version", "otel.scope.name", "otel.scope.version", "time", "timestamp", "@timestamp", "received",
]);

/** The name by which a query finds this field of this record, and not another of the same name. */
export function queryName(record: Pick<LogRecord, "attributes" | "resource">, place: Place, name: string): string {
  if (place === "record") return name;
  const inner = place === "attributes" ? [] : place === "resource" ? record.attributes : [...record.attributes, ...record.resource];
  const hidden = BUILT_IN.has(name) || inner.some(([key]) => key === name);
  return hidden ? `${place}.${name}` : name;
}

function lookUp(attributes: Attributes, name: string): Json | undefined {
  return attributes.find(([key]) => key === name)?.[1];
}

/** A field by the name that queries use: the record's own first, then attributes, resource, scope. */
export function fieldValue(record: LogRecord, name: string): Json | undefined {
  switch (name) {
    case "id":
    case "time":
    case "received":
    case "severity":
    case "severity_text":
    case "severity_number":
    case "service":
    case "body":
    case "event_name":
    case "trace_id":
    case "span_id":
    case "original":
      return record[name] ?? undefined;
    default:
      return attribute(record, name);
  }
}

function attribute(record: LogRecord, name: string): Json | undefined {
  const found = lookUp(record.attributes, name) ?? lookUp(record.resource, name) ?? lookUp(record.scope.attributes, name);
  const [, place, inner] = /^(attributes|resource|scope)\.(.+)$/.exec(name) ?? [];
  if (found !== undefined || !place || !inner) return found;
  if (place === "scope") return lookUp(record.scope.attributes, inner);
  return lookUp(place === "resource" ? record.resource : record.attributes, inner);
}

const METHOD = ["http.request.method"];
const PATH = ["url.path", "url.full", "http.target"];
const STATUS = ["http.response.status_code"];
/** Names under which a duration may come, with what one unit of each is in milliseconds. */
const DURATION: [string, number][] = [
  ["mesh.duration_ms", 1],
  ["http.server.request.duration", 1000],
  ["http.client.request.duration", 1000],
  ["duration_ms", 1],
];

export interface AccessLine {
  method: string;
  path: string;
  status: number;
  durationMs: number | null;
}

function first(record: LogRecord, names: string[]): Json | undefined {
  for (const name of names) {
    const value = lookUp(record.attributes, name);
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

/** The line of an access log; `null` for everything that lacks one of method, path and status. */
export function accessLine(record: LogRecord): AccessLine | null {
  const method = first(record, METHOD);
  const path = first(record, PATH);
  const status = Number(first(record, STATUS));
  if (typeof method !== "string" || typeof path !== "string" || !Number.isInteger(status)) return null;
  return { method, path, status, durationMs: durationMs(record) };
}

function durationMs(record: LogRecord): number | null {
  for (const [name, factor] of DURATION) {
    const value = lookUp(record.attributes, name);
    if (typeof value === "number") return value * factor;
  }
  return null;
}

/** Fields that are looked for first, in the order of the facet list. */
export const FIRST_FIELDS: readonly string[] = [
  "severity",
  "service.name",
  "mesh.kind",
  "mesh.name",
  "k8s.namespace.name",
  "http.response.status_code",
  "http.request.method",
  "url.path",
  "mesh.response_flags",
  "mesh.mtls.state",
  "k8s.pod.name",
  "host.name",
];

/** Well-known fields first, then the most common. */
export function byImportance(a: { name: string; count: number }, b: { name: string; count: number }): number {
  const rank = (name: string) => {
    const at = FIRST_FIELDS.indexOf(name);
    return at < 0 ? FIRST_FIELDS.length : at;
  };
  return rank(a.name) - rank(b.name) || b.count - a.count || a.name.localeCompare(b.name);
}

/** Newest first; the id settles equal times, so that two sources of records merge the same way each time. */
export function newestFirst(a: LogRecord, b: LogRecord): number {
  if (a.time_ns === b.time_ns) return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
  return BigInt(a.time_ns) < BigInt(b.time_ns) ? 1 : -1;
}
