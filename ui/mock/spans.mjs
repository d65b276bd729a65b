/** Spans of the mock: traces of a shop, hostile ones, and what is sent as OTLP in JSON. */
import { makeRecord, random, timeText } from "./data.mjs";

const MS = 1_000_000n;
const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];
let counter = 0;

const hex = (rand, n) => Array.from({ length: n }, () => Math.floor(rand() * 16).toString(16)).join("");

export function makeSpan(fields) {
  const { start, length, service, name, trace, id, parent = null, kind = "internal", error = null } = fields;
  const end = length === null ? null : start + length;
  return {
    id: `spans.1.${++counter}`, trace_id: trace, span_id: id, parent_span_id: parent, trace_state: "", flags: 1, name, kind, service,
    time: timeText(start), time_ns: String(start), end: end === null ? null : timeText(end), end_ns: end === null ? null : String(end),
    duration_ms: length === null ? null : Number(length) / 1e6, received: timeText(start + 5n * MS), status_code: error === null ? "unset" : "error", status_message: error ?? "",
    attributes: fields.attributes ?? [], events: fields.events ?? [], links: fields.links ?? [], dropped_attributes: 0, dropped_events: fields.dropped ?? 0, dropped_links: 0,
    resource: [["service.name", service], ["k8s.namespace.name", "shop"]], scope: { name: "mock", version: "1", attributes: [] },
    // For the query of the mock, which is about records.
    severity: error === null ? "unspecified" : "error", body: name,
  };
}

/** A checkout: six services, a queue, an error in some, and a payment whose clock is early in others. */
function checkout(rand, start, spans, records) {
  const trace = hex(rand, 32);
  const slow = 0.5 + rand() * (rand() < 0.05 ? 12 : 1);
  const at = (ms) => start + BigInt(Math.round(ms * slow * 1e6));
  const error = rand() < 0.15 ? "payment refused: card issuer timeout" : null;
  const early = rand() < 0.2 ? 14 : 0;
  const add = (parent, service, name, kind, from, ms, rest = {}) => {
    const span = makeSpan({ trace, id: hex(rand, 16), parent, service, name, kind, start: at(from), length: at(from + ms) - at(from), ...rest });
    spans.push(span);
    return span.span_id;
  };
  const log = (span, service, severity, ms, body) => records.push(makeRecord(at(ms), { service, severity, body, trace_id: trace, span_id: span }));
  const root = add(null, "frontend", "GET /checkout", "server", 0, 120, { error, attributes: [["http.response.status_code", error ? 503 : 200], ["url.path", "/checkout"]] });
  const toCart = add(root, "frontend", "GET cart", "client", 4, 30);
  const cart = add(toCart, "cart", "GET /cart", "server", 6, 26);
  add(cart, "cart", "HGETALL", "client", 9, 12, { attributes: [["db.system", "redis"], ["server.address", "redis"]] });
  const toPay = add(root, "frontend", "POST checkout", "client", 38, 78, { error });
  const pay = add(toPay, "checkout", "POST /checkout", "server", 40, 74, { error });
  log(pay, "checkout", "info", 43, "order placed");
  const charge = add(pay, "checkout", "POST charge", "client", 48, 52, { error });
  const charged = add(charge, "payment", "POST /charge", "server", 50 - early, 47, {
    error, events: error ? [{ name: "exception", time: timeText(at(80)), time_ns: String(at(80)), attributes: [["exception.message", error]], dropped_attributes: 0 }] : [],
  });
  if (error) log(charged, "payment", "error", 80, error);
  add(charged, "payment", "SELECT cards", "client", 56, 18, { attributes: [["db.system", "postgresql"], ["server.address", "postgres"]] });
  const placed = add(pay, "checkout", "send order.placed", "producer", 106, 2);
  add(placed, "shipping", "process order.placed", "consumer", 128, 24);
}

/** What must stay text, and what must not break the tree: rings, missing parents, no end, equal ids, ten thousand deep. */
function nasty(end, spans, records) {
  const trace = "bad".padEnd(32, "0");
  const id = (n) => n.toString(16).padStart(16, "0");
  const base = { trace, start: end - 60_000n * MS, length: 40n * MS };
  const evil = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>";
  spans.push(
    makeSpan({ ...base, id: id(1), service: "evil<script>", name: evil, kind: "server", attributes: [["<b>key</b>", evil], ["bidi", "\u202eevil"], ["big", "y".repeat(100_000)], ["number", 9007199254740993n]] }),
    makeSpan({ ...base, id: id(2), parent: id(1), service: "\u202ertl\u0007", name: "\u05e9\u05dc\u05d5\u05dd \u2066admin\u2069\u001b[31m", length: null }),
    makeSpan({ ...base, id: id(3), parent: id(4), service: "ring", name: "one of a ring" }),
    makeSpan({ ...base, id: id(4), parent: id(3), service: "ring", name: "the other of the ring" }),
    makeSpan({ ...base, id: id(5), parent: id(5), service: "self", name: "its own parent" }),
    makeSpan({ ...base, id: id(6), parent: id(99), service: "orphan", name: "x".repeat(5000), error: evil }),
    makeSpan({ ...base, id: id(7), parent: id(1), service: "twice", name: "the caller's half", kind: "client" }),
    makeSpan({ ...base, id: id(7), parent: id(1), service: "twice", name: "the callee's half", kind: "server" }),
  );
  records.push(makeRecord(base.start + 10n * MS, { service: "evil<script>", severity: "error", body: evil, trace_id: trace, span_id: id(1) }));
}

/** One trace of `count` spans, a tree that is as deep as it is wide. */
export function bigTrace(count, end, rand = random(5)) {
  const spans = [];
  const trace = "b16".padEnd(32, "0");
  const open = [];
  const step = 1_000_000n;
  const from = end - BigInt(count) * step - 60_000n * MS;
  for (let at = 0; at < count; at++) {
    while (open.length > 1 && (rand() < 0.45 || open.length > 40)) open.pop();
    const start = from + BigInt(at) * step;
    const length = at === 0 ? BigInt(count) * step : BigInt(Math.floor((1 + rand() * 30) * 1e6));
    const span = makeSpan({
      trace, id: (at + 1).toString(16).padStart(16, "0"), parent: open.at(-1) ?? null, service: `service-${at % 17}`, name: `operation ${at}`, kind: at % 3 ? "internal" : "server", start, length,
      error: at % 211 === 210 ? "it broke" : null, attributes: [["step", at], ["url.path", `/step/${at}`], ["http.response.status_code", 200]],
    });
    spans.push(span);
    open.push(span.span_id);
  }
  return spans;
}

export function seededSpans(seed, end, count) {
  const rand = random(seed);
  const [spans, records] = [[], []];
  for (let i = 0; i < count; i++) checkout(rand, end - BigInt(i + 1) * 4000n * MS - BigInt(Math.floor(rand() * 3e9)), spans, records);
  nasty(end, spans, records);
  return { spans, records };
}

const value = ({ stringValue, intValue, doubleValue, boolValue }) => stringValue ?? (intValue === undefined ? (doubleValue ?? boolValue ?? null) : Number(intValue));
const pairs = (attributes = []) => attributes.map((attribute) => [attribute.key, value(attribute.value)]);

/** The spans of a request of OTLP in JSON. */
export function fromOtlp(request) {
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = pairs(resource.attributes).find(([name]) => name === "service.name")?.[1] ?? "unknown";
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => makeSpan({
      trace: span.traceId, id: span.spanId, parent: span.parentSpanId || null, service, name: span.name, kind: KINDS[span.kind ?? 0], start: BigInt(span.startTimeUnixNano),
      length: span.endTimeUnixNano ? BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano) : null, error: span.status?.code === 2 ? (span.status.message ?? "") : null,
      attributes: pairs(span.attributes), links: (span.links ?? []).map((link) => ({ trace_id: link.traceId, span_id: link.spanId, trace_state: "", flags: 0, attributes: pairs(link.attributes), dropped_attributes: 0 })),
      events: (span.events ?? []).map((event) => ({ name: event.name, time: timeText(BigInt(event.timeUnixNano)), time_ns: event.timeUnixNano, attributes: pairs(event.attributes), dropped_attributes: 0 })),
    })));
  });
}

const bySql = /trace_id in \(([^)]*)\)/;

/** The one statement that the console sends. */
export function sums(spans, sql) {
  const ids = [...(bySql.exec(sql)?.[1] ?? "").matchAll(/'([0-9a-f]+)'/g)].map((match) => match[1]);
  const through = /"service\.name" = '((?:[^']|'')*)'/.exec(sql)?.[1].replaceAll("''", "'");
  const rows = ids.map((id) => {
    const own = spans.filter((span) => span.trace_id === id);
    const services = new Set(own.map((span) => span.service)).size;
    return [id, own.length, own.filter((span) => span.status_code === "error").length, services, own.filter((span) => span.service === through).length];
  });
  return { columns: [], rows, truncated: false, stats: { elapsed_ms: 1, scanned_rows: spans.length, scanned_bytes: 0, segments: 1, segments_pruned: 0 } };
}

export function trace(spans, records, id, params) {
  const wanted = id.toLowerCase().padStart(32, "0");
  const [most, mostLogs] = [Number(params.get("spans") ?? 10_000), Number(params.get("logs") ?? 1000)];
  const oldestFirst = (a, b) => (BigInt(a.time_ns) < BigInt(b.time_ns) ? -1 : 1);
  const own = spans.filter((span) => span.trace_id === wanted).sort(oldestFirst);
  const logs = records.filter((record) => record.trace_id === wanted).sort(oldestFirst);
  return {
    trace_id: wanted, spans: own.slice(0, most), logs: logs.slice(0, mostLogs), more_spans: own.length > most, more_logs: logs.length > mostLogs,
    stats: { elapsed_ms: 3, scanned_rows: own.length, scanned_bytes: 0, segments: 1, segments_pruned: 0 },
  };
}
