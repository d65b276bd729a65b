/** What to paste where so that a common sender sends here: one line each, for the receivers that listen. */
import type { Receiver, Status } from "../api/types";
import { reached } from "./sources";

export interface Sender {
  name: string;
  line: string;
}

interface Place {
  address: string;
  host: string;
  port: string;
  http: string;
}

const LINES: { [protocol: string]: [string, (at: Place) => string][] } = {
  "otlp-grpc": [
    ["OpenTelemetry SDK", ({ http }) => `OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_ENDPOINT=${http}`],
    ["OpenTelemetry Collector", ({ http }) => `exporters: {otlp: {endpoint: "${http}"}}`],
  ],
  "otlp-http": [["OpenTelemetry SDK over HTTP", ({ http }) => `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT=${http}`]],
  "forward-tcp": [["Fluent Bit", ({ address }) => `fluent-bit -i systemd -o forward://${address}`]],
  beats: [["Filebeat", ({ address }) => `filebeat -e -E output.elasticsearch.enabled=false -E 'output.logstash.hosts=["${address}"]'`]],
  elasticsearch: [["Elasticsearch clients", ({ http }) => `curl ${http}/_bulk -H 'content-type: application/x-ndjson' --data-binary $'{"create":{"_index":"app"}}\\n{"message":"hello"}\\n'`]],
  loki: [["Docker's Loki driver", ({ http }) => `docker run --log-driver=loki --log-opt loki-url=${http}/loki/api/v1/push IMAGE`]],
  "gelf-udp": [["Docker's GELF driver", ({ address }) => `docker run --log-driver=gelf --log-opt gelf-address=udp://${address} IMAGE`]],
  "syslog-tcp": [["rsyslog, in its configuration", ({ address }) => `*.* @@${address}`]],
  "syslog-udp": [["logger", ({ host, port }) => `logger --udp --server ${host} --port ${port} hello`]],
  journal: [["systemd's journal", ({ http }) => `systemd-journal-upload --url=${http}`]],
};

/** `host` is the name by which this page was reached. */
export function sendersFor(status: Pick<Status, "receivers" | "ingest_example">, host: string): Sender[] {
  const listening = status.receivers.filter(({ state, address }) => state === "listening" && address !== null);
  const known = Object.keys(LINES).flatMap((protocol) => listening.filter((receiver) => receiver.protocol === protocol));
  const lines = known.flatMap((receiver) => (LINES[receiver.protocol] ?? []).map(([name, line]) => ({ name, line: line(placeOf(receiver, host)) })));
  return [{ name: "curl", line: status.ingest_example }, ...lines];
}

function placeOf({ address, tls }: Receiver, host: string): Place {
  const here = reached(address ?? "", host);
  const end = here.lastIndexOf(":");
  return { address: here, host: here.slice(0, end).replace(/^\[|\]$/g, ""), port: here.slice(end + 1), http: `${tls ? "https" : "http"}://${here}` };
}
