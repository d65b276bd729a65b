/** The overview of the mock: services from its records and spans, and a change of each kind to look at. */
import { select } from "./answers.mjs";

const SLOTS = 30;
const CALLEE_KINDS = ["server", "consumer"];
const isError = (record) => record.severity === "error" || record.severity === "fatal";
const stats = { elapsed_ms: 21, scanned_rows: 6600, scanned_bytes: 1, segments: 1, segments_pruned: 0 };

function counted(items, failed, at) {
  const counts = Array(SLOTS).fill(0);
  const errors = Array(SLOTS).fill(0);
  for (const item of items) {
    counts[at(item)]++;
    if (failed(item)) errors[at(item)]++;
  }
  return { counts, errors };
}

const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

function service(name, records, spans, at) {
  const requests = spans.filter((span) => CALLEE_KINDS.includes(span.kind) || span.parent_span_id === null);
  const broken = spans.filter((span) => span.status_code === "error");
  const errors = records.filter(isError);
  const series = requests.length > 0 ? counted(requests, (span) => span.status_code === "error", at) : counted(records, isError, at);
  const times = requests.map((span) => span.duration_ms).filter((ms) => ms !== null).sort((a, b) => a - b);
  const quantile = (q) => times[Math.min(times.length - 1, Math.floor(q * times.length))];
  const [error, span] = [errors[0], broken[0]];
  return {
    service: name, counted: requests.length > 0 ? "requests" : "records", count: sum(series.counts), errors: sum(series.errors), before: { count: 0, errors: 0 },
    records: records.length, error_records: errors.length, series, duration_ms: times.length > 0 ? { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) } : null,
    measured_by: requests.length > 0 ? "spans" : null,
    newest_error: error ? { time: error.time, time_ns: error.time_ns, kind: "record", id: error.id, text: String(error.body), trace_id: error.trace_id, span_id: error.span_id }
      : span ? { time: span.time, time_ns: span.time_ns, kind: "span", id: span.id, text: span.status_message || span.name, trace_id: span.trace_id, span_id: span.span_id } : null,
  };
}

function changes(services, from, to) {
  const since = String(to - (to - from) / 5n);
  const [a, b, c] = services.map((one) => one.service);
  const of = (kind, name, more) => ({ kind, service: name, counted: "requests", ...more });
  return [
    of("errors", a, { before: { errors: 7, of: 566 }, now: { errors: 220, of: 580 } }),
    of("silent", "billing-export", { since_ns: since, seconds: 180, expected: 152.4 }),
    of("latency", b, { percentile: 95, before_ms: 210.4, now_ms: 1702 }),
    of("latency", c, { percentile: 50, before_ms: 80, now_ms: 22 }),
    of("volume", b, { before_rate: 10.2, now_rate: 25.5 }),
    of("volume", c, { before_rate: 10.2, now_rate: 0.4 }),
    of("new", "gift-cards", { since_ns: since, count: 412 }),
    of("pattern", b, { id: null, template: "payment <id> refused by <var>: <...>", since_ns: since, count: { errors: 31, of: 31 } }),
    // Of a server that knows more than this console.
    of("tide", a, {}),
  ];
}

export function overview(mock, params) {
  const { from, to, found: records } = select(mock.records, params);
  const { found: spans } = select(mock.spans, params);
  const at = (item) => Number(((BigInt(item.time_ns) - from) * BigInt(SLOTS)) / (to - from));
  const names = new Set([...records, ...spans].map((one) => one.service));
  const all = [...names].map((name) => service(name, records.filter((one) => one.service === name), spans.filter((one) => one.service === name), at));
  all.sort((a, b) => b.count - a.count);
  const limit = Number(params.get("limit") ?? 100);
  const compared = mock.records.length > 100 ? { from_ns: String(from - (to - from)), seconds: 900, seconds_now: 900 } : null;
  return {
    from_ns: String(from), to_ns: String(to), bucket_ns: String((to - from) / BigInt(SLOTS)), compared, changes: compared && all.length > 2 ? changes(all, from, to) : [], more_changes: 0,
    services: all.slice(0, limit), more: all.length > limit, stats,
    partial: mock.state === "partial" ? { reason: "the query took longer than its 30 s; narrow the time range or the filter", missing: "requests" } : null,
  };
}
