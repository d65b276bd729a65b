/** Makes traces of two spans with Datadog's tracer, and a log of each with the ids that the tracer puts into logs; prints the spans' ids.
 * Arguments: TRACES_PORT LOGS_PORT COUNT WORD. */
import { createRequire } from "node:module";
import ddtrace from "dd-trace";

const [tracesPort, logsPort, count, word] = process.argv.slice(2);
const service = `${word}-shop`;
const tracer = ddtrace.init({
  hostname: "127.0.0.1", port: Number(tracesPort), service, env: "prod", version: "1.2",
  plugins: false, flushInterval: 100, startupLogs: false,
});
const { version } = createRequire(import.meta.url)("dd-trace/package.json");
const id = (span) => BigInt(span.context().toSpanId()).toString(16).padStart(16, "0");
const sent = [];
const logs = [];

function log(span, n, message) {
  const record = { message: `${word} ${message} ${n}`, level: "info", n };
  tracer.inject(span, "log", record);
  logs.push(record);
}

function note(span, parent, start_ms, more) {
  const trace = span.context().toTraceId(true).padStart(32, "0");
  sent.push({ trace, span: id(span), parent: parent && id(parent), start_ms, tracer: version, ...more });
}

for (let n = 0; n < count; n++) {
  const start = 1795168800000 + n * 1000;
  const ok = n % 2;
  const root = tracer.startSpan("web.request", {
    startTime: start,
    tags: {
      "span.kind": "server", "span.type": "web", "resource.name": "GET /cart", "http.method": "GET", "http.status_code": "500",
      "http.url": `http://shop.example/cart?n=${n}`, n,
    },
  });
  const child = tracer.startSpan("pay.charge", {
    childOf: root, startTime: start + 1, tags: { "span.kind": "client", "peer.service": "pay", ok },
  });
  child.setTag("error", new TypeError("card refused"));
  child.addLink({ context: root.context(), attributes: { reason: "test" } });
  child.addEvent("retry", { attempt: 2, after: 1.5, ok: true, why: ["slow", "late"] }, start + 2);
  log(root, n, "asked");
  log(child, n, "charged");
  child.finish(start + 3);
  root.finish(start + 4);
  note(root, null, start);
  note(child, root, start + 1, { ok });
}

const answer = await fetch(`http://127.0.0.1:${logsPort}/api/v2/logs`, {
  method: "POST", headers: { "content-type": "application/json", "dd-api-key": "k" }, body: JSON.stringify(logs),
});
if (!answer.ok) throw new Error(`the logs: ${answer.status} ${await answer.text()}`);
await new Promise((done) => tracer._tracer._exporter.flush(done));
console.log(JSON.stringify(sent));
