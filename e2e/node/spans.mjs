/** Makes traces of two spans with one of the tracers and prints the spans' ids. Arguments: TRACER HOST PORT COUNT WORD. */
import jaeger from "jaeger-client";
import zipkin from "zipkin";
import { HttpLogger } from "zipkin-transport-http";

const [tracer, host, port, count, word] = process.argv.slice(2);
const service = `${word}-shop`;
const sent = [];

async function jaegerTraces(sender) {
  const config = { serviceName: service, sampler: { type: "const", param: 1 }, reporter: { flushIntervalMs: 100, ...sender } };
  const logger = { info: () => {}, error: (text) => console.error(text) };
  const made = jaeger.initTracer(config, { logger, tags: { "host.cpu.count": 8 }, traceId128bit: true });
  const hex = (id) => id.toString("hex");
  for (let n = 0; n < count; n++) {
    const start = 1795168800000 + n;
    const root = made.startSpan("GET /cart", { startTime: start, tags: { "span.kind": "server", n } });
    const child = made.startSpan("charge", { childOf: root, startTime: start + 1, tags: { "span.kind": "client", error: true, ok: n % 2 === 0 } });
    child.log({ event: "retry", n }, start + 2);
    child.finish(start + 3);
    root.finish(start + 4);
    for (const [span, parent] of [[root, null], [child, hex(root.context().spanId)]]) {
      sent.push({ trace: hex(span.context().traceId), span: hex(span.context().spanId), parent });
    }
    // An agent's datagrams are lost where nobody reads them in time.
    if (n % 50 === 49) await new Promise((next) => setTimeout(next, 100));
  }
  // Closing would break off requests that are under way.
  const agent = made._reporter._sender._httpAgent;
  while (agent && Object.keys(agent.sockets).length > 0) await new Promise((next) => setTimeout(next, 10));
  await new Promise((done) => made.close(done));
}

async function zipkinTraces(path, jsonEncoder) {
  const logger = new HttpLogger({ endpoint: `http://${host}:${port}${path}`, jsonEncoder, httpInterval: 50, timeout: 30_000 });
  // All spans are made before the logger's timer runs, so they are one request; its timer keeps no program alive.
  const stored = new Promise((done, failed) => {
    logger.on("success", done);
    logger.on("error", failed);
  });
  const alive = setInterval(() => {}, 1_000);
  const ctxImpl = new zipkin.ExplicitContext();
  const recorder = new zipkin.BatchRecorder({ logger });
  const made = new zipkin.Tracer({ ctxImpl, recorder, localServiceName: service, traceId128Bit: true });
  const { Annotation } = zipkin;
  for (let n = 0; n < count; n++) {
    const root = made.createRootId();
    made.letId(root, () => {
      const child = made.createChildId();
      made.recordServiceName(service);
      made.recordRpc("GET /cart");
      made.recordAnnotation(new Annotation.ServerRecv());
      made.recordBinary("n", n);
      made.letId(child, () => {
        made.recordServiceName(service);
        made.recordRpc("charge");
        made.recordAnnotation(new Annotation.ClientSend());
        made.recordAnnotation(new Annotation.ServerAddr({ serviceName: "pay", port: 80 }));
        made.recordMessage("retry");
        made.recordBinary("error", "refused");
        made.recordAnnotation(new Annotation.ClientRecv());
      });
      made.recordAnnotation(new Annotation.ServerSend());
      sent.push({ trace: root.traceId, span: root.spanId, parent: null });
      sent.push({ trace: child.traceId, span: child.spanId, parent: root.spanId });
    });
  }
  await stored;
  clearInterval(alive);
}

switch (tracer) {
  case "jaeger-udp":
    await jaegerTraces({ agentHost: host, agentPort: Number(port) });
    break;
  case "jaeger-http":
    await jaegerTraces({ collectorEndpoint: `http://${host}:${port}/api/traces` });
    break;
  case "zipkin-v1":
    await zipkinTraces("/api/v1/spans", zipkin.jsonEncoder.JSON_V1);
    break;
  case "zipkin-v2":
    await zipkinTraces("/api/v2/spans", zipkin.jsonEncoder.JSON_V2);
    break;
  default:
    throw new Error(`no tracer ${tracer}`);
}
console.log(JSON.stringify(sent));
