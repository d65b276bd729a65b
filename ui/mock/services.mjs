/** Services and who calls whom, of the mock: from its spans, and a mesh that none of them tells of. */
const quantile = (sorted, q) => (sorted.length === 0 ? null : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]);
const CALLEE_KINDS = ["server", "consumer"];
const CALLER_KINDS = ["client", "producer"];

function measured(spans, seconds, seen = {}) {
  const errors = spans.filter((span) => span.status_code === "error").length;
  const times = spans.map((span) => span.duration_ms).filter((ms) => ms !== null).sort((a, b) => a - b);
  return {
    rate: spans.length / seconds, errors, error_ratio: spans.length === 0 ? 0 : errors / spans.length, duration_ms: { p50: quantile(times, 0.5), p95: quantile(times, 0.95), p99: quantile(times, 0.99) },
    measured_by: "spans", seen_by: { spans: spans.length, caller_proxy: 0, callee_proxy: 0, caller_connections: 0, callee_connections: 0, ...seen },
  };
}

const stats = { elapsed_ms: 12, scanned_rows: 3300, scanned_bytes: 1, segments: 1, segments_pruned: 0 };

function grouped(spans, name) {
  const groups = new Map();
  for (const span of spans) {
    const key = name(span);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(span);
  }
  return [...groups].sort((a, b) => b[1].length - a[1].length);
}

export function services(spans, seconds, params) {
  const requests = spans.filter((span) => CALLEE_KINDS.includes(span.kind) || span.parent_span_id === null);
  const all = grouped(requests, (span) => span.service).map(([service, own]) => ({ service, requests: own.length, ...measured(own, seconds) }));
  const limit = Number(params.get("limit") ?? 100);
  return { services: all.slice(0, limit), seconds, more: all.length > limit, stats };
}

/** What the proxies of a mesh say of some calls. */
const MESH = {
  "checkout shipping": ["proven", 40, 0, 0, 0, "consul"], "frontend cart": ["plaintext", 12, 0, 3, 9, "istio"],
  "checkout payment": ["claimed", 0, 25, 0, 0, "istio"], "frontend checkout": ["unproven", 3, 0, 8, 0, "istio"],
};

export function graph(spans, seconds, params) {
  const children = new Map(spans.filter((span) => CALLEE_KINDS.includes(span.kind) && span.parent_span_id !== null).map((span) => [span.trace_id + span.parent_span_id, span]));
  const calls = spans.filter((span) => CALLER_KINDS.includes(span.kind)).map((span) => {
    const child = children.get(span.trace_id + span.span_id);
    return { span, callee: child?.service ?? span.attributes.find(([name]) => name === "server.address" || name === "peer.service")?.[1] ?? null, traced: child !== undefined };
  });
  const all = grouped(calls, ({ span, callee }) => JSON.stringify([span.service, callee])).map(([key, own]) => {
    const [caller, callee] = JSON.parse(key);
    const [state, proven, claimed, unproven, plaintext, mesh] = MESH[`${caller} ${callee}`] ?? [];
    return {
      caller, callee, traced: own[0].traced, calls: own.length, ...measured(own.map(({ span }) => span), seconds, state ? { callee_proxy: own.length } : {}),
      mesh: state ? { caller: "istio", callee: mesh } : { caller: null, callee: null }, mtls: state ? { state, proven, claimed, unproven, plaintext } : null,
    };
  });
  const limit = Number(params.get("limit") ?? 100);
  return { edges: all.slice(0, limit), seconds, more: all.length > limit, stats };
}
