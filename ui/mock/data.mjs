/**
 * Records of a small mesh, the same for every run: one seed, no clock of its own. A few are nasty on purpose: markup,
 * control and bidi characters, a megabyte on one line, integers beyond 2^53, repeated keys.
 */

/** mulberry32: small, seeded, good enough to look like traffic. */
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const SERVICES = ["checkout", "payment", "cart", "catalog", "search", "frontend", "shipping", "email", "currency", "ads", "auth", "inventory"];
const PATHS = ["/api/pay", "/api/cart/items", "/api/catalog?page=2", "/healthz", "/api/search?q=shoes", "/login", "/api/ship/quote"];
const MESSAGES = [
  ["info", "order placed"], ["info", "cache refreshed in 12 ms"], ["debug", "evicting 3 idle connections"],
  ["warn", "retrying after connection refused by upstream"], ["error", "payment refused: card issuer timeout"],
  ["info", "session started for user"], ["trace", "enter reserve_stock"], ["fatal", "out of file descriptors, exiting"],
];
const NUMBERS = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21, unspecified: 0 };

const hex = (rand, n) => Array.from({ length: n }, () => Math.floor(rand() * 16).toString(16)).join("");
const pick = (rand, list) => list[Math.floor(rand() * rand() * list.length)];

export function timeText(ns) {
  const text = ns.toString().padStart(19, "0");
  return `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}.${text.slice(-9)}Z`;
}

let counter = 0;

export function makeRecord(ns, fields) {
  const severity = fields.severity ?? "info";
  return {
    id: `default.1.${++counter}`, time: timeText(ns), time_ns: ns.toString(), received: timeText(ns + 3_000_000n),
    severity, severity_number: NUMBERS[severity], severity_text: severity === "unspecified" ? "" : severity.toUpperCase(),
    service: fields.service, body: fields.body ?? null, original: fields.original ?? null, event_name: fields.event_name ?? "",
    trace_id: fields.trace_id ?? null, span_id: fields.span_id ?? null, attributes: fields.attributes ?? [],
    resource: [["service.name", fields.service], ["k8s.namespace.name", fields.namespace ?? "shop"], ["k8s.pod.name", `${fields.service}-7f9c-${fields.service.length}x`], ["mesh.kind", fields.mesh ?? "istio"]],
    scope: { name: fields.scope ?? "", version: "", attributes: [] },
  };
}

export function ordinary(rand, ns) {
  const service = pick(rand, SERVICES);
  const mesh = service.length % 3 === 0 ? "linkerd" : service.length % 3 === 1 ? "istio" : "consul";
  const namespace = service.length > 6 ? "shop" : "edge";
  if (rand() < 0.65) {
    const bad = service === "payment" ? 0.3 : 0.02;
    const status = rand() < bad ? 503 : rand() < 0.05 ? 404 : 200;
    const severity = status >= 500 ? "error" : status >= 400 ? "warn" : "info";
    const path = pick(rand, PATHS);
    const duration = Math.round((status === 503 ? 5 : 0.02) * (0.5 + rand()) * 1e6) / 1e6;
    return makeRecord(ns, {
      service, namespace, mesh, severity, body: `[${timeText(ns)}] "GET ${path} HTTP/1.1" ${status} - 0 512 ${Math.round(duration * 1000)}`,
      original: JSON.stringify({ method: "GET", path, response_code: status }), trace_id: hex(rand, 32), span_id: hex(rand, 16),
      attributes: [
        ["http.request.method", rand() < 0.8 ? "GET" : "POST"], ["url.path", path], ["http.response.status_code", status],
        ["http.server.request.duration", duration], ["mesh.mtls.state", "proven"], ["mesh.response_flags", status === 503 ? "UF" : "-"],
        ["client.address", `10.1.${Math.floor(rand() * 255)}.${Math.floor(rand() * 255)}`], ["request.bytes", Math.floor(rand() * 9000)],
      ],
    });
  }
  const [severity, body] = pick(rand, MESSAGES);
  return makeRecord(ns, { service, namespace, mesh, severity, body, attributes: [["thread", `worker-${Math.floor(rand() * 8)}`], ["code.function", "handle"]] });
}

export function nasty(ns) {
  const at = (i) => ns - BigInt(i) * 1_000_000n;
  return [
    makeRecord(at(0), { service: "evil<script>", severity: "error", body: "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>", attributes: [["<b>key</b>", "<i>value</i>"], ["quote\"key", "say \"hi\" \\ back"], ["javascript:alert(1)", "javascript:alert(1)"]] }),
    makeRecord(at(1), { service: "controls", severity: "warn", body: "bell\u0007 escape\u001b[31mred\u001b[0m null\u0000 tab\there\r\nsecond line", attributes: [["multi\nline", "a\nb\tc"]] }),
    makeRecord(at(2), { service: "rtl", severity: "info", body: "\u202eevil.exe \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 user=\u2066admin\u2069", attributes: [["\u05e9\u05dd", "\u05e2\u05e8\u05da"]] }),
    makeRecord(at(3), { service: "huge", severity: "info", body: "x".repeat(1_000_000), attributes: [["big.value", "y".repeat(5000)]] }),
    makeRecord(at(4), { service: "numbers", severity: "debug", body: { nested: { deep: [1, 2.5, null, true] }, text: "t" }, attributes: [["user.id", 9007199254740993n], ["dup", 1], ["dup", 2], ["empty", ""], ["nothing", null], ["list", ["a", "b"]], ["flag", false]] }),
    makeRecord(at(5), { service: "empty", severity: "unspecified", body: "" }),
    makeRecord(at(6), { service: "a-service-with-a-very-long-name-that-does-not-fit-in-its-column", severity: "fatal", body: "java.lang.IllegalStateException: boom\n\tat com.example.Main.run(Main.java:42)\n\tat com.example.Main.main(Main.java:7)" }),
  ];
}

/** `count` records ending at `endNs`, newest first. */
export function seeded(seed, endNs, count, spanNs) {
  const rand = random(seed);
  const step = spanNs / BigInt(count);
  const list = [];
  for (let i = 0; i < count; i++) list.push(ordinary(rand, endNs - BigInt(i) * step - BigInt(Math.floor(rand() * 900_000))));
  list.splice(5, 0, ...nasty(list[4].time_ns ? BigInt(list[4].time_ns) - 1n : endNs));
  return list.sort((a, b) => (BigInt(a.time_ns) < BigInt(b.time_ns) ? 1 : -1));
}

export function stringify(value) {
  const big = [];
  const text = JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `@big${big.push(v) - 1}@` : v));
  return text.replace(/"@big(\d+)@"/g, (_, i) => big[i].toString());
}
