/** Sends each line of its input with one client, which it keeps: as a record's message, or as a span's name. Nothing ends it but the
 * input's end. Arguments: CLIENT PORT. */
import readline from "node:readline";
import fluent from "fluent-logger";
import jaeger from "jaeger-client";
import zipkin from "zipkin";
import { HttpLogger } from "zipkin-transport-http";

const [client, port] = process.argv.slice(2);

function forward() {
  const logger = fluent.createFluentSender("tag", {
    host: "127.0.0.1", port: Number(port), timeout: 3, reconnectInterval: 200, internalLogger: { info: () => {}, error: () => {} },
  });
  logger.on("error", () => {});
  return (message) => logger.emit("label", { message });
}

function jaegerSpans(sender) {
  const config = { serviceName: "shop", sampler: { type: "const", param: 1 }, reporter: { flushIntervalMs: 50, ...sender } };
  const tracer = jaeger.initTracer(config, { logger: { info: () => {}, error: () => {} } });
  return (name) => tracer.startSpan(name).finish();
}

function zipkinSpans() {
  const logger = new HttpLogger({ endpoint: `http://127.0.0.1:${port}/api/v2/spans`, jsonEncoder: zipkin.jsonEncoder.JSON_V2, httpInterval: 50 });
  logger.on("error", () => {});
  const tracer = new zipkin.Tracer({ ctxImpl: new zipkin.ExplicitContext(), recorder: new zipkin.BatchRecorder({ logger }), localServiceName: "shop" });
  return (name) =>
    tracer.letId(tracer.createRootId(), () => {
      tracer.recordServiceName("shop");
      tracer.recordRpc(name);
      tracer.recordAnnotation(new zipkin.Annotation.ServerRecv());
      tracer.recordAnnotation(new zipkin.Annotation.ServerSend());
    });
}

const clients = {
  "fluent-logger": forward,
  "jaeger-udp": () => jaegerSpans({ agentHost: "127.0.0.1", agentPort: Number(port) }),
  "jaeger-http": () => jaegerSpans({ collectorEndpoint: `http://127.0.0.1:${port}/api/traces` }),
  zipkin: zipkinSpans,
};

const send = clients[client]();
readline.createInterface({ input: process.stdin }).on("line", send).on("close", () => process.exit(0));
