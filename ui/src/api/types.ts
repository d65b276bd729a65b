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

export type SpanKind = "unspecified" | "internal" | "server" | "client" | "producer" | "consumer";

export interface SpanEvent {
  name: string;
  time: string;
  time_ns: string;
  attributes: Attributes;
  dropped_attributes: number;
}

export interface SpanLink {
  trace_id: string;
  span_id: string;
  trace_state: string;
  flags: number;
  attributes: Attributes;
  dropped_attributes: number;
}

export interface Span {
  id: string;
  trace_id: string;
  span_id: string;
  parent_span_id: string | null;
  trace_state: string;
  flags: number;
  name: string;
  kind: SpanKind;
  service: string;
  time: string;
  time_ns: string;
  end: string | null;
  end_ns: string | null;
  duration_ms: number | null;
  received: string;
  status_code: "unset" | "ok" | "error";
  status_message: string;
  attributes: Attributes;
  events: SpanEvent[];
  links: SpanLink[];
  dropped_attributes: number;
  dropped_events: number;
  dropped_links: number;
  resource: Attributes;
  scope: { name: string; version: string; attributes: Attributes };
}

export interface SavedView {
  id: string;
  name: string;
  description: string;
  /** A page of the console, from its path on. */
  address: string;
  owner: string;
  own: boolean;
  created: string;
  changed: string;
}

export interface ValueDifference {
  /** Null for records that have no such field. */
  value: string | null;
  count: number;
  other: number;
}

export interface FieldDifference {
  field: string;
  count: number;
  other: number;
  /** The largest difference first. */
  values: ValueDifference[];
  more: number;
  not_counted: { count: number; other: number };
}

export interface CompareAnswer {
  with: "before" | "rest";
  from_ns: string;
  to_ns: string;
  other_from_ns: string;
  other_to_ns: string;
  total: number;
  other_total: number;
  /** The largest difference first. */
  fields: FieldDifference[];
  more: number;
  compared: number;
  left_out: { fields: number; records_with_more_fields: number };
  stats: Stats;
}

export interface SpanPage {
  spans: Span[];
  next: string | null;
  partial: Partial | null;
  stats: Stats;
}

export interface TraceAnswer {
  trace_id: string;
  spans: Span[];
  logs: LogRecord[];
  more_spans: boolean;
  more_logs: boolean;
  stats: Stats;
}

export interface Durations {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** Who saw how many calls. */
export type SeenBy = { [who in "spans" | "caller_proxy" | "callee_proxy" | "caller_connections" | "callee_connections"]: number };

interface Measured {
  rate: number;
  errors: number;
  error_ratio: number;
  duration_ms: Durations;
  measured_by: keyof SeenBy;
  seen_by: SeenBy;
}

export interface Service extends Measured {
  service: string;
  requests: number;
}

/** From the strongest to the weakest. */
export const MTLS_STATES = ["proven", "claimed", "unproven", "plaintext"] as const;
export type MtlsState = (typeof MTLS_STATES)[number];
export type Mtls = { state: MtlsState } & { [state in MtlsState]: number };

export interface Edge extends Measured {
  caller: string;
  /** Null where nobody says who was called. */
  callee: string | null;
  traced: boolean;
  calls: number;
  mesh: { caller: string | null; callee: string | null };
  mtls: Mtls | null;
}

export interface ServicesAnswer {
  services: Service[];
  from_ns: string;
  to_ns: string;
  seconds: number;
  more: boolean;
  stats: Stats;
}

export interface OverviewService {
  service: string;
  /** What `count`, `errors` and `series` are of. */
  counted: "requests" | "records";
  count: number;
  errors: number;
  before: { count: number; errors: number };
  records: number;
  error_records: number;
  duration_ms: Edge["duration_ms"] | null;
  series: { counts: number[]; errors: number[] };
  newest_error: {
    time_ns: string;
    kind: "record" | "span";
    id: string;
    text: string;
    trace_id: string | null;
    span_id: string | null;
  } | null;
}

interface Portion {
  errors: number;
  of: number;
}

interface ChangeKinds {
  errors: { before: Portion; now: Portion };
  latency: { percentile: number; before_ms: number; now_ms: number };
  silent: { since_ns: string; seconds: number; expected: number };
  new: { since_ns: string; count: number };
  /** A message of a kind that nobody wrote before; the count is of records. */
  pattern: { id: string | null; template: string; since_ns: string; count: Portion };
  volume: { before_rate: number; now_rate: number };
}

/** A change of one kind; without a service it is of everything together. */
export type ChangeOf<K extends keyof ChangeKinds> = ChangeKinds[K] & { kind: K; service: string | null; counted: OverviewService["counted"] };
export type Change = { [K in keyof ChangeKinds]: ChangeOf<K> }[keyof ChangeKinds];

export interface OverviewAnswer {
  from_ns: string;
  to_ns: string;
  bucket_ns: string;
  /** Null where there is too little of the time before to compare with. */
  compared: { from_ns: string; seconds: number; seconds_now: number } | null;
  changes: Change[];
  more_changes: number;
  services: OverviewService[];
  more: boolean;
  partial: Partial | null;
  stats: Stats;
}

/** What became of records, and of requests of which nothing was taken. */
export interface SourceCounts {
  received: number;
  stored: number;
  deduplicated: number;
  deferred: number;
  rejected: number;
  rejected_for: { [reason: string]: number };
  dropped: number;
  dropped_for: { [reason: string]: number };
  refused_requests: number;
  refused_for: { [reason: string]: number };
  bytes: number;
  balanced: boolean;
}

/** A minute, or an hour. */
export interface SourceLine extends SourceCounts {
  time: string;
}

/** Who sends, as far as it is known, and what became of it. */
export interface Source extends SourceCounts {
  protocol: string;
  peer: string | null;
  sender: string | null;
  identity: string | null;
  /** All of a protocol for which there was no room. */
  others: boolean;
  last_seen: string | null;
  silent_seconds: number | null;
  newest: string | null;
  lag_seconds: number | null;
  series?: SourceLine[];
}

export interface SourcesAnswer {
  sources: Source[];
  totals: SourceCounts;
  balanced: boolean;
  from: string;
  more: boolean;
}

/** One statement of a program, as its records show it. */
export interface Pattern {
  /** Null where there is none yet that lasts, or none for this reader: then its text selects its records. */
  id: string | null;
  template: string;
  count: number;
  /** In the time of the same length before, if that was asked for. */
  before: number | null;
  severity: { [severity in Severity]?: number };
  services: { service: string; count: number }[];
  more_services: number;
  first_ns: string;
  last_ns: string;
  first_seen_ns: string | null;
  series: number[];
  example: { id: string; body: Json } | null;
}

export interface PatternsAnswer {
  from_ns: string;
  to_ns: string;
  first_ns: string;
  bucket_ns: string;
  total: number;
  without: number;
  others: number;
  templates: number;
  new: number | null;
  gone: number | null;
  patterns: Pattern[];
  more: number;
  stats: Stats;
}

/** What a template leaves open. */
export interface Variable {
  kind: string;
  values: ValueCount[];
  more_values: boolean;
}

export interface VariablesAnswer {
  template: string;
  total: number;
  otherwise: number;
  variables: Variable[];
  stats: Stats;
}

export interface GraphAnswer {
  edges: Edge[];
  from_ns: string;
  to_ns: string;
  seconds: number;
  more: boolean;
  stats: Stats;
}

export interface SqlAnswer {
  columns: { name: string; type: string }[];
  rows: Json[][];
  truncated: boolean;
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
  by?: GroupedCounts;
}

/** Records of each bucket, and of all of them. */
export interface Counts {
  count: number;
  counts: number[];
}

/** The same records by the values of a field. */
export interface GroupedCounts {
  field: string;
  groups: (Counts & { value: string })[];
  /** Further values. */
  other: Counts;
  /** Without the field. */
  missing: Counts;
  /** There are so many values that a late one may be among the others though it is frequent. */
  many: boolean;
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
  /** None where it does not listen. */
  address: string | null;
  state: string;
  tls?: boolean;
  /** What it demands of senders. */
  senders?: string;
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
  /** What to show of a person, who may come from a provider. */
  shown?: string;
  /** The time that they have broken the glass, while that lasts. */
  break_glass?: string | null;
  /** Of a person who has a password here. */
  second_factor?: { on: boolean; needed: boolean; recovery_codes: number | null } | null;
}

/** What one request left in the audit trail, or one thing that the server did by itself. */
export interface AuditRow {
  id: string;
  time: string;
  time_ns: string;
  event: string;
  text: string;
  user: string | null;
  owner: string | null;
  claimed: string | null;
  address: string | null;
  action: string | null;
  decision: "allow" | "deny" | null;
  reason: string | null;
  purpose: string | null;
  object: string | null;
  query: string | null;
  outcome: string | null;
  rows: number | null;
  bytes: number | null;
  duration_ms: number | null;
  more: { [name: string]: string };
}

export interface AuditAnswer {
  rows: AuditRow[];
  next: string | null;
}

/** A person, as those who manage people see them. */
export interface User {
  user: string;
  shown: string;
  roles: string[];
  disabled: boolean;
  created: string;
  second_factor: boolean;
  has_password: boolean;
  oidc: { issuer: string; subject: string } | null;
}

/** By which somebody chooses their password, shown once. */
export interface UserLink {
  user: string;
  link: string;
}

/** What somebody has asked for that another must approve. */
export interface Approval {
  id: string;
  hash: string;
  what: string;
  text: string;
  requester: string;
  /** Whom it is about, if it is about somebody. */
  about: string | null;
  requested: string;
  expires: string;
}

/** What became of something that was asked for: done, perhaps with a link that is shown once, or kept until another has approved it. */
export type Done = { user: string; link?: string } | { tenant: string; statement: string } | { approval: Approval };

/** That somebody has done alone what takes two. */
export interface Glass {
  id: string;
  user: string;
  reason: string;
  began: string;
  ends: string;
  active: boolean;
  overdue: boolean;
  review: { by: string; note: string; at: string } | null;
}

/** A session of a person. */
export interface OwnSession {
  id: string;
  user: string;
  address: string;
  created: string;
  used: string;
  expires: string;
  /** Whether it is the one that asks. */
  current: boolean;
}

/** A token, without what makes it one. */
export interface Token {
  id: string;
  name: string;
  owner: string;
  roles: string[];
  tenant: string;
  created: string;
  expires: string;
  used: string | null;
}

export interface NewToken extends Token {
  token: string;
}

/** What an app needs to know, shown once. */
export interface Enrolment {
  secret: string;
  uri: string;
  qr: string;
}

export interface TailStatus {
  matched: number;
  sent: number;
  dropped: number;
}

/** What an answer that refuses says beside the error. */
export interface ErrorAnswer {
  set_up?: boolean;
  oidc?: { label: string } | null;
}

export interface ErrorBody {
  code: string;
  message: string;
  position?: number;
  length?: number;
  expected?: string[];
  suggestion?: string;
  /** What a question did until its budget was spent. */
  stats?: Stats;
}
