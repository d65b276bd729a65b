/**
 * What the browser tests stand on: one Chromium, one fresh context a test, and waiting for conditions only. A page that
 * logs an error, throws, or asks any other host for anything fails its test.
 */
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const TIMEOUT_MS = 15_000;

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

export function equal(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  assert(a === b, `${what}: got ${a}, expected ${b}`);
}

/** Sends records the way the guide says, calling itself `sender`; answers once they are durable and searchable. */
export async function ingest(url, documents, sender = "e2e") {
  const response = await fetch(`${url}/api/v1/ingest/ndjson`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson", "user-agent": sender },
    body: documents.map((document) => JSON.stringify(document)).join("\n"),
  });
  const text = await response.text();
  assert(response.ok, `ingest answered ${response.status}: ${text}`);
  const answer = JSON.parse(text);
  equal(answer.stored, documents.length, "records stored");
}

const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };

/**
 * Sends spans as OTLP in JSON, to where the server says that it takes them. Each is `{trace, id, parent, service, name, kind, at, ms, error, attributes,
 * events, links}`, with `at` in milliseconds since the epoch.
 */
export async function sendSpans(url, spans) {
  const { receivers } = await (await fetch(`${url}/api/v1/status`)).json();
  await sendSpansTo(receivers.find(({ protocol }) => protocol === "otlp-http").address, spans);
}

/** The same for whom the status of the server is not open: `address` is the receiver's own. */
export async function sendSpansTo(address, spans) {
  const nanos = (ms) => String(BigInt(Math.round(ms * 1000)) * 1000n);
  const pairs = (object = {}) => Object.entries(object).map(([key, value]) => ({ key, value: { stringValue: String(value) } }));
  const resourceSpans = spans.map(({ service, ...span }) => ({
    resource: { attributes: pairs({ "service.name": service }) },
    scopeSpans: [{ spans: [{
      traceId: span.trace, spanId: span.id, parentSpanId: span.parent ?? "", name: span.name, kind: KINDS[span.kind ?? "internal"], startTimeUnixNano: nanos(span.at),
      endTimeUnixNano: nanos(span.at + span.ms), status: span.error === undefined ? {} : { code: 2, message: span.error }, attributes: pairs(span.attributes),
      events: (span.events ?? []).map(({ name, at, attributes }) => ({ name, timeUnixNano: nanos(at), attributes: pairs(attributes) })),
      links: (span.links ?? []).map(({ trace, id }) => ({ traceId: trace, spanId: id })),
    }] }],
  }));
  const response = await fetch(`http://${address}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ resourceSpans }) });
  assert(response.ok, `OTLP answered ${response.status}: ${await response.text()}`);
}

const severities = ["info", "info", "warn", "error"];

/** `count` records that all hold `word`; every fourth is an error, services alternate. */
export function some(word, count) {
  return Array.from({ length: count }, (_, i) => ({
    severity: severities[i % 4], "service.name": i % 2 ? `${word}-b` : `${word}-a`, message: `${word} number ${i}`, "test.parity": i % 2 ? "odd" : "even",
  }));
}

export class Pages {
  constructor(browser, url) {
    Object.assign(this, { browser, url, open: [], faults: [], allowed: [], others: [] });
  }

  /** A fresh context: no history, no storage, nothing from the test before. */
  async visit(search = "", options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1440, height: 860 }, ...options });
    context.setDefaultTimeout(TIMEOUT_MS);
    this.open.push(context);
    const page = await context.newPage();
    page.on("pageerror", (error) => this.faults.push(`page error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" && !this.allowed.some((text) => message.text().includes(text))) this.faults.push(`console: ${message.text()}`);
    });
    page.on("dialog", (dialog) => {
      this.faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      const known = [this.url, "data:", ...this.others].some((host) => request.url().startsWith(host));
      if (!known && !this.isElsewhere(request)) this.faults.push(`request to ${request.url()}`);
    });
    const isForeign = (address) => ![this.url, ...this.others].some((host) => address.href.startsWith(host));
    await context.route(isForeign, (route) => route.abort());
    await page.goto(this.url + search);
    return page;
  }

  /** For tests in which the server refuses or goes away: the browser logs that by itself. */
  allow(...texts) {
    this.allowed.push(...texts);
  }

  /** For tests that lead to another server, and back. What its own pages ask of others is none of ours, and not let out. */
  allowHost(url) {
    this.others.push(url);
  }

  isElsewhere(request) {
    return this.others.some((other) => request.frame().url().startsWith(other));
  }

  async finish(failedAs) {
    if (failedAs) {
      mkdirSync("e2e/results", { recursive: true });
      const pages = this.open.flatMap((context) => context.pages());
      await Promise.all(pages.map((page, i) => page.screenshot({ path: `e2e/results/${failedAs}-${i}.png` }).catch(() => {})));
    }
    await Promise.all(this.open.map((context) => context.close()));
  }
}

export async function runAll(tests, { browser, url, ...rest }) {
  let [passed, failed] = [0, 0];
  for (const [name, test] of tests) {
    const pages = new Pages(browser, url);
    const started = performance.now();
    try {
      await test({ pages, url, ...rest });
      equal(pages.faults, [], "faults of the page");
      passed++;
      console.log(`ok    ${name} (${Math.round(performance.now() - started)} ms)`);
      await pages.finish();
    } catch (error) {
      failed++;
      console.log(`FAIL  ${name}\n      ${String(error.message).split("\n").slice(0, 12).join("\n      ")}${pages.faults.map((f) => `\n      ${f}`).join("")}`);
      await pages.finish(name.replace(/\W+/g, "-"));
    }
  }
  return { passed, failed };
}

export const rows = (page) => page.locator(".log-row");

/** Waits until the list holds exactly `count` records. */
export async function rowCount(page, count) {
  await page.waitForFunction((n) => document.querySelector(".scroller")?.dataset.rows === String(n), count);
}

export async function live(page) {
  await page.locator('[data-tail="live"]').waitFor();
}

export async function search(page, q) {
  await page.locator("#search").fill(q);
  await page.locator("#search").press("Enter");
  await page.waitForFunction((text) => (new URLSearchParams(location.search).get("q") ?? "") === text, q);
}

export const param = (page, name) => new URL(page.url()).searchParams.get(name);
