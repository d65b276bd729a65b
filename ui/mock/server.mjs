/**
 * A stand-in for `logkeep serve`: docs/api.md over records in memory, and the built console. For development and for
 * the browser test. `PORT`, `COUNT` (records at the start), `RATE` (records a second), `TRACES` and
 * `BIG` (spans of one big trace) are its options; `POST /__mock {"state": "ok" | "empty" | "down" | "slow" | "broken" | "forbidden" | "no_sql" | "partial" | "unbalanced" | "masked" | "behind" | "export_over" | "export_cut", "rate": n, "session": null | "nobody" | "engineer" | "analyst" | "administrator"}` changes what it does.
 */
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import * as answers from "./answers.mjs";
import { bigTrace, fromOtlp, seededSpans, trace } from "./spans.mjs";
import { compare } from "./compare.mjs";
import { PEOPLE, session } from "./people.mjs";
import { overview } from "./overview.mjs";
import { parameters, patterns, isOf } from "./patterns.mjs";
import { exportFile } from "./export.mjs";
import { graph, services } from "./services.mjs";
import { ledger, sources } from "./sources.mjs";
import { sql } from "./sql.mjs";
import { views } from "./views.mjs";
import { makeRecord, ordinary, random, seeded, stringify } from "./data.mjs";

const DIST = join(fileURLToPath(import.meta.url), "../../dist");
const PROOF = join(fileURLToPath(import.meta.url), "../../../crates/proof/tests/fixtures/version-1.json");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
/** What a question did until its budget was spent. */
const SPENT = { elapsed_ms: 30_012, scanned_rows: 81_200_000, scanned_bytes: 8e9, segments: 412, segments_pruned: 15 };
const RECEIVERS = [["otlp-grpc", "127.0.0.1:4317"], ["otlp-http", "127.0.0.1:4318"], ["elasticsearch", "127.0.0.1:9200"], ["loki", "127.0.0.1:3100"], ["syslog", "127.0.0.1:5514"]];

export function startMock({ port = 0, count = 4000, rate = 8, traces = 300, big = 0 } = {}) {
  const mock = { state: "ok", rate, records: seeded(7, answers.nowNs(), count, 3_600_000_000_000n), tails: new Set(), held: [], senders: new Map(), session: null, started: new Date(Date.now() - 7_200_000).toISOString() };
  const seededOnes = seededSpans(3, answers.nowNs(), traces);
  mock.spans = [...seededOnes.spans, ...bigTrace(big, answers.nowNs())].sort(newestFirst);
  mock.records = [...mock.records, ...seededOnes.records].sort(newestFirst);
  const server = createServer((request, response) => void handle(mock, request, response));
  const traffic = startTraffic(mock);
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      const stop = () => {
        clearInterval(traffic);
        server.closeAllConnections();
        server.close();
      };
      resolve({ url: `http://127.0.0.1:${server.address().port}`, stop });
    });
  });
}

function startTraffic(mock) {
  const rand = random(11);
  let owed = 0;
  return setInterval(() => {
    if (mock.state !== "ok") return;
    owed += mock.rate / 20;
    for (; owed >= 1; owed--) add(mock, ordinary(rand, answers.nowNs()));
  }, 50);
}

function add(mock, record) {
  mock.records.unshift(record);
  for (const tail of mock.tails) tail.offer(record);
}

const newestFirst = (a, b) => (BigInt(a.time_ns) < BigInt(b.time_ns) ? 1 : -1);
const dataset = (mock, params) => (params.get("dataset") === "spans" ? mock.spans : mock.records);

const ROUTES = [
  [/^\/overview$/, (mock, _, params) => overview(mock, params)],
  [/^\/patterns$/, (mock, _, params) => allPatterns(mock, params)],
  [/^\/patterns\/parameters$/, (mock, _, params) => variables(mock, params)],
  [/^\/services$/, (mock, _, params) => over(services, mock, params)],
  [/^\/graph$/, (mock, _, params) => over(graph, mock, params)],
  [/^\/sources$/, (mock, _, params) => sources(mock, params)],
  [/^\/spans$/, (mock, _, params) => answers.spans(mock.spans, params)],
  [/^\/traces\/([^/]+)$/, (mock, [id], params) => oneTrace(mock, id, params)],
  [/^\/logs$/, (mock, _, params) => partly(mock, answers.logs(mock.records, params))],
  [/^\/logs\/([^/]+)$/, (mock, [id]) => answers.record(mock.records, id)],
  // A true proof, and not of this record: nobody here signs anything.
  [/^\/logs\/([^/]+)\/proof$/, () => JSON.parse(readFileSync(PROOF, "utf8"))],
  [/^\/logs\/([^/]+)\/context$/, (mock, [id], params) => answers.context(mock.records, id, params)],
  [/^\/histogram$/, (mock, _, params) => answers.histogram(dataset(mock, params), params)],
  [/^\/compare$/, (mock, _, params) => compare(mock.records, params)],
  [/^\/fields$/, (mock, _, params) => answers.fields(dataset(mock, params), params)],
  [/^\/fields\/([^/]+)\/values$/, (mock, [name], params) => answers.fieldValues(dataset(mock, params), name, params)],
  [/^\/status$/, (mock, _, __, request) => status(mock, request)],
  ...PEOPLE,
];

function partly(mock, answer) {
  return mock.state === "partial" ? { ...answer, partial: { reason: "two of nine workers did not answer", missing: "records before 09:30" } } : answer;
}

function over(answer, mock, params) {
  const { from, to, found } = answers.select(mock.spans, params);
  return { ...answer(found, Number(to - from) / 1e9, params), from_ns: String(from), to_ns: String(to) };
}

function allPatterns(mock, params) {
  const bounds = answers.select([], params);
  const [matches, isOne] = [answers.matcher(params.get("q") ?? ""), isOf(params.get("template"))];
  const answer = patterns(mock.records.filter((r) => matches(r) && isOne(r)), bounds, params);
  return mock.state === "partial" ? { ...answer, without: 3, others: 1204, more: 17 } : answer;
}

function variables(mock, params) {
  const asked = params.get("template");
  const found = parameters(mock.records, answers.select(mock.records, params).found, asked, Number(params.get("limit") ?? 10));
  if (!found) throw new answers.HttpError(404, { code: "not_found", message: `no template is known by \`${asked}\`` });
  return found;
}

function oneTrace(mock, id, params) {
  if (!/^[0-9a-f]{1,32}$/i.test(id)) throw new answers.HttpError(400, { code: "bad_request", message: "a trace id is 1 to 32 hexadecimal digits, not all of them zero; shorter ones are padded" });
  const found = trace(mock.spans, mock.records, id, params);
  if (found.spans.length + found.logs.length === 0) throw new answers.HttpError(404, { code: "not_found", message: `no span and no record carries the trace id \`${id}\`` });
  return found;
}

function status(mock, request) {
  return {
    version: "0.1.0", tenant: "default", records: mock.records.length, oldest_ns: mock.records.at(-1)?.time_ns ?? null,
    newest_ns: mock.records[0]?.time_ns ?? null, started: mock.started,
    receivers: RECEIVERS.map(([protocol, address]) => ({ protocol, address: protocol === "otlp-http" ? request.headers.host : address, state: "listening" })),
    ingest_example: `curl -X POST http://${request.headers.host}/api/v1/ingest/ndjson \\\n  -d '{"severity":"info","service.name":"hello","message":"my first record"}'`,
  };
}

async function handle(mock, request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://mock");
  if (pathname === "/__mock") return control(mock, request, response);
  if (mock.state === "down") return void request.socket.destroy();
  if (pathname === "/v1/traces") return receive(mock, request, response);
  if (!pathname.startsWith("/api/v1/")) return serveFile(pathname, response);
  const path = pathname.slice("/api/v1".length);
  if (path === "/ingest/ndjson") return ingest(mock, request, response);
  // Nobody has said who they are.
  if (mock.session === "nobody") return send(response, 401, { error: { code: "unauthenticated", message: "who asks is not known" }, oidc: { label: "Example ID" } });
  if (mock.state === "slow" && path !== "/status" && path !== "/session") await new Promise((release) => mock.held.push(release));
  if (mock.state === "forbidden" && path !== "/status" && path !== "/session") return send(response, 403, { error: { code: "forbidden", message: "no policy permits it" } });
  if (mock.state === "no_sql" && path === "/sql") return send(response, 408, { error: { code: "over_budget", message: "the query reached its time", stats: SPENT } });
  if (mock.state === "broken" && ["/logs", "/spans", "/patterns"].includes(path)) return send(response, 408, { error: { code: "over_budget", message: "the query took longer than its 30 s", stats: SPENT } });
  try {
    if (path === "/sql") return send(response, 200, sql(mock, JSON.parse(await body(request)).sql));
    if (path.startsWith("/views")) return send(response, 200, views(mock, path, request.method, session(mock), JSON.parse((await body(request)) || "{}")));
    if (path === "/export") return exportFile(mock, searchParams, response);
    if (path === "/tail") return tail(mock, searchParams, request, response);
    for (const [pattern, answer] of ROUTES) {
      const match = pattern.exec(path);
      if (match) return send(response, 200, seen(mock, answer(mock, match.slice(1).map(decodeURIComponent), searchParams, request)));
    }
    throw new answers.HttpError(404, { code: "not_found", message: `there is no \`${path}\`` });
  } catch (error) {
    if (!(error instanceof answers.HttpError)) throw error;
    send(response, error.status, { error: error.body });
  }
}

const MASKED = "client.address";

/** What somebody sees who may not see everything. */
function seen(mock, value) {
  if (mock.state !== "masked") return value;
  if (Array.isArray(value)) return value[0] === MASKED ? [MASKED, "[masked]"] : value.map((one) => seen(mock, one));
  if (value === null || typeof value !== "object") return value;
  if (value.name === MASKED) return { ...value, top: [{ value: "[masked]", count: value.count }] };
  const hidden = { scanned_rows: null, scanned_bytes: null, segments: null, segments_pruned: null, oldest_ns: null, newest_ns: null, original: "[masked]" };
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, name in hidden && one !== null ? hidden[name] : seen(mock, one)]));
}

function send(response, code, value) {
  response.writeHead(code, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(stringify(value));
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function control(mock, request, response) {
  const change = JSON.parse((await body(request)) || "{}");
  Object.assign(mock, change);
  if (change.state === "empty") mock.records.length = mock.spans.length = 0;
  if (change.state === "empty") mock.senders.clear();
  if (change.state === "down") for (const one of mock.tails) one.cut();
  if (change.state !== "slow") for (const release of mock.held.splice(0)) release();
  send(response, 200, { state: mock.state });
}

async function ingest(mock, request, response) {
  const sender = request.headers["user-agent"] ?? null;
  const lines = (await body(request)).split("\n").filter((line) => line.trim() !== "");
  for (const line of lines) {
    const document = JSON.parse(line);
    const { message, severity, "service.name": service = "unknown", time, trace_id, span_id, ...rest } = document;
    const ns = time ? BigInt(Date.parse(time)) * 1_000_000n : answers.nowNs();
    add(mock, makeRecord(ns, { service, severity, body: message, trace_id, span_id, attributes: [...Object.entries(rest), ["logkeep.protocol", "ndjson"], ["logkeep.source", "127.0.0.1"]] }));
  }
  mock.records.sort(newestFirst);
  ledger(mock, sender, lines.length);
  send(response, 200, { received: lines.length, stored: lines.length, deduplicated: 0, rejected: 0, errors: [] });
}

async function receive(mock, request, response) {
  mock.spans.push(...fromOtlp(JSON.parse(await body(request))));
  mock.spans.sort(newestFirst);
  send(response, 200, {});
}

function tail(mock, params, request, response) {
  const matches = answers.matcher(params.get("q") ?? "");
  const count = { matched: 0, sent: 0, dropped: 0 };
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": open\n\n");
  const event = (name, value) => response.write(`event: ${name}\ndata: ${stringify(value)}\n\n`);
  const one = {
    offer(record) {
      if (!matches(record)) return;
      count.matched++;
      if (response.writableLength > 4_000_000) return void count.dropped++;
      count.sent++;
      event("record", record);
    },
    cut: () => request.socket.destroy(),
  };
  mock.tails.add(one);
  const timer = setInterval(() => event("status", mock.state === "behind" ? { ...count, dropped: 120 } : count), 1000);
  response.on("close", () => {
    clearInterval(timer);
    mock.tails.delete(one);
  });
}

function serveFile(pathname, response) {
  const path = join(DIST, normalize(pathname));
  const file = path.startsWith(DIST) && existsSync(path) && statSync(path).isFile() ? path : join(DIST, "index.html");
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const number = (name, fallback) => Number(process.env[name] ?? fallback);
  const { url } = await startMock({ port: number("PORT", 7280), count: number("COUNT", 4000), rate: number("RATE", 8), traces: number("TRACES", 300), big: number("BIG", 0) });
  console.log(`mock Logkeep on ${url}`);
}
