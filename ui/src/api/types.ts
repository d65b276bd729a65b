/** The shapes of docs/api.md. Nothing else in the console invents a field. */

export type Severity = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "unspecified";

/** From the quietest to the loudest: the order in which the histogram stacks. */
export const SEVERITIES: readonly Severity[] = ["unspecified", "trace", "debug", "info", "warn", "error", "fatal"];

/** What JSON can say; integers beyond 2^53 arrive as `bigint` so that no digit of evidence is lost. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

/** Pairs and not an object: keys may repeat and their order is the sender's. */
export type Attributes = [string, Json][];

export interface LogRecord {
  id: string;
  time: string;
  time_ns: string;
  received: string;
  severity: Severity;
  severity_number: number;
  severity_text: string;
  service: string;
  body: Json;
  original: string | null;
  event_name: string;
  trace_id: string | null;
  span_id: string | null;
  attributes: Attributes;
  resource: Attributes;
  scope: { name: string; version: string; attributes: Attributes };
}

/** What a query did; null where that would tell of what the asker may not see. */
export interface Stats {
  elapsed_ms: number;
  scanned_rows: number | null;
  scanned_bytes: number | null;
  segments: number | null;
  segments_pruned: number | null;
}

export interface Partial {
  reason: string;
  missing: string;
}

export interface LogPage {
  records: LogRecord[];
  next: string | null;
  partial: Partial | null;
  stats: Stats;
}

export interface ContextAnswer {
  before: LogRecord[];
  record: LogRecord;
  after: LogRecord[];
  by: string[];
}

export interface Bucket {
  start_ns: string;
  total: number;
  severity: { [severity in Severity]?: number };
}

export interface HistogramAnswer {
  from_ns: string;
  to_ns: string;
  bucket_ns: string;
  total: number;
  buckets: Bucket[];
}

export interface ValueCount {
  value: Json;
  count: number;
}

export interface Field {
  name: string;
  types: string[];
  count: number;
  top: ValueCount[];
}

export interface FieldsAnswer {
  total: number;
  fields: Field[];
}

export interface ValuesAnswer {
  field: string;
  values: ValueCount[];
  missing: number;
  total: number;
}

export interface Receiver {
  protocol: string;
  address: string;
  state: string;
}

export interface Status {
  version: string;
  tenant: string;
  records: number | null;
  oldest_ns: string | null;
  newest_ns: string | null;
  started: string;
  receivers: Receiver[];
  ingest_example: string;
}

/** Who the server takes the caller for. */
export interface Session {
  name: string;
  by: "loopback" | "certificate" | "session" | "token";
  tenant: string;
  roles: string[];
  may: string[];
}

export interface TailStatus {
  matched: number;
  sent: number;
  dropped: number;
}

export interface ErrorBody {
  code: string;
  message: string;
  position?: number;
  length?: number;
  expected?: string[];
  suggestion?: string;
}
