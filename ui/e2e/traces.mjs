/** Traces: found, read, folded, and left for their logs. Every test sends its own spans, against any server. */
import { violations } from "./accessible.mjs";
import { assert, equal, ingest, param, rowCount, sendSpans } from "./harness.mjs";

export const put = (url, change) => fetch(`${url}/__mock`, { method: "POST", body: JSON.stringify(change) });
const traces = (page) => page.locator(".trace-row");
const lines = (page) => page.locator(".line");
const panel = (page) => page.getByRole("complementary", { name: /Span|Record/ });

let made = 0;

/** A trace of five spans: `word-web` calls `word-pay`, whose clock is early, which fails, and a worker takes a message later. */
export async function shop(url, word, { error = true, at = Date.now() - 5000 } = {}) {
  const trace = (0xabc0000 + ++made).toString(16).padStart(8, "0") + Date.now().toString(16).padStart(24, "0");
  const id = (n) => `${trace.slice(0, 8)}0000000${n}`;
  const failed = error ? { error: `${word} refused` } : {};
  const [web, pay, jobs] = ["web", "pay", "jobs"].map((name) => `${word}-${name}`);
  await sendSpans(url, [
    { trace, id: id(1), service: web, name: `GET /${word}`, kind: "server", at, ms: 100, ...failed, links: [{ trace: "f".repeat(32), id: "f".repeat(16) }] },
    { trace, id: id(2), parent: id(1), service: web, name: "POST pay", kind: "client", at: at + 20, ms: 60, ...failed },
    { trace, id: id(3), parent: id(2), service: pay, name: "POST /pay", kind: "server", at: at + 12, ms: 50, ...failed, attributes: { "pay.card": "visa" }, events: [{ name: "exception", at: at + 30, attributes: { "exception.message": word } }] },
    { trace, id: id(4), parent: id(1), service: web, name: "send paid", kind: "producer", at: at + 85, ms: 2 },
    { trace, id: id(5), parent: id(4), service: jobs, name: "process paid", kind: "consumer", at: at + 150, ms: 30 },
  ]);
  await ingest(url, [{ severity: "error", "service.name": pay, message: `${word} the card was refused`, trace_id: trace, span_id: id(3), time: new Date(at + 40).toISOString() }]);
  return { trace, id };
}

export async function traceCount(page, count) {
  await page.waitForFunction((n) => document.querySelector(".traces .scroller")?.dataset.rows === String(n), count);
}

async function lineCount(page, count) {
  await page.waitForFunction((n) => document.querySelector(".waterfall .scroller")?.dataset.rows === String(n), count);
}

async function finds({ pages, url, token }) {
  const word = `${token}find`;
  await shop(url, word);
  await shop(url, word, { error: false });
  const page = await pages.visit(`/traces?service=${word}-web&operation=GET /${word}`);
  await traceCount(page, 2);
  await page.locator(".trace-spans").first().getByText("5").waitFor();
  equal(await page.locator(".trace-errors").allInnerTexts().then((texts) => texts.map((text) => text.trim()).sort()), ["0", "3"], "errors of the whole traces");
  await page.getByRole("checkbox", { name: "Only errors" }).check();
  await traceCount(page, 1);
  await page.getByRole("textbox", { name: /At least/ }).fill("200ms");
  await page.keyboard.press("Enter");
  await page.getByText("No trace matches").waitFor();
  equal(param(page, "least"), "200ms", "the shortest in the address");
  await page.goBack();
  await traceCount(page, 1);
  const other = await pages.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await traceCount(other, 1);
  equal(await other.getByRole("checkbox", { name: "Only errors" }).isChecked(), true, "errors only in a fresh browser");
  await page.getByRole("textbox", { name: /At least/ }).fill("soon");
  await page.keyboard.press("Enter");
  await page.getByText("not a duration").waitFor();
  equal(param(page, "least"), null, "what is no duration");
}

async function findsByRoot({ pages, url, token }) {
  const word = `${token}root`;
  await shop(url, word);
  await shop(url, word, { error: false });
  const page = await pages.visit("/traces");
  await traces(page).filter({ hasText: `GET /${word}` }).nth(1).waitFor();
  equal(await traces(page).filter({ hasText: "POST /pay" }).filter({ hasText: word }).count(), 0, "parts of traces");
  await page.locator("#search").fill(`service.name:${word}-pay`);
  await page.keyboard.press("Enter");
  await traceCount(page, 2);
  await traces(page).first().getByText("POST /pay").waitFor();
}

async function through({ pages, url, token }) {
  const word = `${token}through`;
  await shop(url, word);
  const page = await pages.visit(`/traces?service=${word}-pay&through=${word}-web`);
  await traceCount(page, 1);
  await page.goto(`${url}/traces?service=${word}-pay&through=nobody`);
  await page.getByText("1 trace not through nobody left out").waitFor();
  await traceCount(page, 0);
}

async function reads({ pages, url, token }) {
  pages.allow("404");
  const word = `${token}read`;
  const { trace, id } = await shop(url, word);
  const page = await pages.visit(`/traces?service=${word}-web`);
  await traces(page).first().click();
  await lineCount(page, 6);
  equal(await lines(page).locator(".line-name").evaluateAll((all) => all.map((one) => one.closest(".line").getAttribute("aria-level"))), ["1", "2", "3", "4", "2", "3"], "levels");
  equal(await lines(page).nth(3).innerText().then((text) => text.includes("the card was refused")), true, "the record stands below its span");
  equal(await page.locator(".line-error").count(), 3, "errors marked");
  equal(await page.locator(".bar-skew").count(), 1, "spans outside of their parents");
  assert(await page.locator(".bar-path").count() >= 4, "the critical path is marked");
  await lines(page).nth(2).click();
  await panel(page).getByText("pay.card").waitFor();
  await panel(page).getByText("exception.message").waitFor();
  await panel(page).getByText("Begins 8 ms before its parent").waitFor();
  equal(param(page, "span"), id(3), "the span in the address");
  const other = await pages.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await panel(other).getByText("pay.card").waitFor();
  await lines(page).nth(0).click();
  await panel(page).getByRole("link", { name: `Trace ${"f".repeat(32)}` }).click();
  await page.getByText("There is no such trace").waitFor();
  equal(new URL(page.url()).pathname, `/traces/${"f".repeat(32)}`, "where the link leads");
  await page.goBack();
  await lineCount(page, 6);
  equal(new URL(page.url()).pathname, `/traces/${trace}`, "back again");
}

async function toLogsAndBack({ pages, url, token }) {
  const word = `${token}both`;
  const { trace, id } = await shop(url, word);
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 1);
  await page.locator(".log-row").first().click();
  await page.getByRole("link", { name: "Open the trace" }).click();
  await lineCount(page, 6);
  equal(param(page, "span"), id(3), "the span of the record");
  await panel(page).getByRole("link", { name: "Logs of this span" }).click();
  await rowCount(page, 1);
  equal(param(page, "q"), `trace_id:${trace} and span_id:${id(3)}`, "the query for the span's logs");
  equal(await page.title(), "Logkeep", "the title of the list");
  await page.goBack();
  await lineCount(page, 6);
  await lines(page).filter({ hasText: "the card was refused" }).click();
  await panel(page).getByRole("link", { name: "Open among the logs" }).click();
  await page.locator(".panel .message").getByText("the card was refused").first().waitFor();
}

async function byKeyboard({ pages, url, token }) {
  const word = `${token}keyed`;
  const { id } = await shop(url, word);
  const page = await pages.visit("/logs?from=-1h");
  await page.locator(".log-row").first().waitFor();
  await page.keyboard.press("3");
  await page.locator(".traces").waitFor();
  equal(param(page, "from"), "-1h", "the range goes with one");
  await page.keyboard.press("/");
  await page.keyboard.type(`service.name:${word}-pay`);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await traceCount(page, 1);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await lineCount(page, 6);
  await page.keyboard.press("e");
  await page.keyboard.press("e");
  await page.keyboard.press("Enter");
  await page.waitForFunction((wanted) => new URLSearchParams(location.search).get("span") === wanted, id(2));
  await page.keyboard.press("ArrowLeft");
  await lineCount(page, 4);
  await page.getByText("+1", { exact: true }).waitFor();
  await page.keyboard.press("e");
  await page.waitForFunction((wanted) => new URLSearchParams(location.search).get("span") === wanted, id(3));
  await lineCount(page, 6);
  await page.keyboard.press("z");
  await page.waitForFunction((wanted) => new URLSearchParams(location.search).get("zoom") === wanted, id(3));
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  equal([param(page, "span"), param(page, "zoom")], [null, null], "what is open after Escape");
  await page.keyboard.press("x");
  await lineCount(page, 3);
  await page.keyboard.press("x");
  await page.keyboard.press("l");
  await lineCount(page, 5);
  await page.keyboard.press("c");
  equal(await page.locator(".bar-path").count(), 0, "the critical path switched off");
  await page.keyboard.press("/");
  await page.keyboard.type("process");
  await page.getByText("1 of 5").waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Enter");
  await page.waitForFunction((wanted) => new URLSearchParams(location.search).get("span") === wanted, id(5));
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
}

async function inert({ pages, url, token }) {
  const trace = `bad${Date.now().toString(16)}`.padEnd(32, "0");
  const evil = `<img src=x onerror="document.title='owned'"><script>alert(1)</script>`;
  const at = Date.now() - 3000;
  const id = (n) => n.toString(16).padStart(16, "0");
  await sendSpans(url, [
    { trace, id: id(1), service: `<b>${token}</b>`, name: evil, at, ms: 5, error: evil, attributes: { "<i>key</i>": evil, long: "y".repeat(100_000) } },
    { trace, id: id(2), parent: id(3), service: "ring", name: "\u202eone of a ring\u0007", at, ms: 5 },
    { trace, id: id(3), parent: id(2), service: "ring", name: "the other", at, ms: 5 },
    { trace, id: id(4), parent: id(99), service: "orphan", name: "x".repeat(5000), at, ms: 5, events: [{ name: evil, at, attributes: { [evil]: evil } }] },
  ]);
  const page = await pages.visit(`/traces/${trace}?span=${id(1)}`);
  await lineCount(page, 4);
  await panel(page).locator(".field").first().waitFor();
  await page.getByText("1 span names a parent that is not here.").waitFor();
  await page.getByText("\\u202e").first().waitFor();
  equal(await page.locator("#root :is(img, script, b, i:not(.muted))").count(), 0, "elements made from data");
  assert((await page.title()).endsWith("– Logkeep"), "the title");
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 1440, "width of the page");
  await page.goto(`${url}/traces?service=${encodeURIComponent(`<b>${token}</b>`)}`);
  await traces(page).first().waitFor();
  equal(await page.locator("#root :is(img, script, b)").count(), 0, "elements made from data in the list");
  await page.goto(`${url}/traces/${"0".repeat(31)}g`).catch(() => {});
  pages.allow("400", "404");
  await page.getByText("This is no trace id").waitFor();
}

async function onPhone({ pages, url, token }) {
  const word = `${token}hand`;
  await shop(url, word);
  const page = await pages.visit(`/traces?service=${word}-web`, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  await traceCount(page, 1);
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, "width of the list");
  await traces(page).first().tap();
  await lineCount(page, 6);
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, "width of the trace");
  await lines(page).nth(2).tap();
  await panel(page).getByText("pay.card").waitFor();
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, "width of the span");
}

async function accessible({ pages, url, token }) {
  const word = `${token}axes`;
  const { trace, id } = await shop(url, word);
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit(`/traces?service=${word}-web&errors=1`, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await traceCount(page, 1);
    await page.locator(".trace-spans").first().getByText("5").waitFor();
    equal(await violations(page), [], `the list of traces, ${colorScheme}`);
    await page.goto(`${url}/traces?service=nobody`);
    await page.getByText("No trace matches").waitFor();
    equal(await violations(page), [], `no traces, ${colorScheme}`);
    await page.goto(`${url}/traces/${trace}`);
    await lineCount(page, 6);
    equal(await violations(page), [], `the trace, ${colorScheme}`);
    await page.goto(`${url}/traces/${trace}?span=${id(3)}&find=pay`);
    await panel(page).getByText("pay.card").waitFor();
    equal(await violations(page), [], `the span, ${colorScheme}`);
    await lines(page).filter({ hasText: "the card was refused" }).click();
    await panel(page).getByRole("link", { name: "Open among the logs" }).waitFor();
    equal(await violations(page), [], `the record in its trace, ${colorScheme}`);
  }
}

const SCROLLED = 20_000;
/** A frame may take so long, in ms. */
const FRAME_MS = 50;

export async function sendLong(url) {
  const trace = `c0de${Date.now().toString(16)}`.padEnd(32, "0");
  const id = (n) => n.toString(16).padStart(16, "0");
  const at = Date.now() - 30_000;
  const all = Array.from({ length: SCROLLED }, (_, n) => ({
    trace, id: id(n + 1), parent: n === 0 ? undefined : id(Math.floor((n - 1) / 3) + 1), service: `service-${n % 17}`, name: `operation ${n}`, kind: n % 2 ? "client" : "server",
    at: at + n, ms: n === 0 ? SCROLLED : 20, attributes: { "url.path": `/step/${n}`, "http.response.status_code": 200 }, ...(n % 500 === 499 ? { error: "it broke" } : {}),
  }));
  for (let from = 0; from < SCROLLED; from += 4000) await sendSpans(url, all.slice(from, from + 4000));
  return trace;
}

/** Scrolls for 400 frames: a flick of the wheel each, now and then a page and a long jump. Lengths of the frames in ms, shortest first. */
function scrollThrough(page) {
  return page.evaluate(async () => {
    const scroller = document.querySelector(".waterfall .scroller");
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    const lengths = [];
    let last = await frame();
    for (let n = 0; n < 400; n++) {
      scroller.scrollTop += n % 50 === 49 ? 40_000 : n % 10 === 9 ? 800 : 120;
      const now = await frame();
      lengths.push(now - last);
      last = now;
    }
    return lengths.sort((a, b) => a - b);
  });
}

/** The longest work of the page's own thread between two frames, in ms of its processor: what others on the machine do is not in it. */
function longestTask(recording) {
  const { traceEvents } = JSON.parse(recording.toString());
  const main = new Set(traceEvents.filter((event) => event.name === "thread_name" && event.args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = traceEvents.filter((event) => event.name.endsWith("RunTask") && event.tdur !== undefined && main.has(`${event.pid} ${event.tid}`));
  assert(tasks.length > 400, `${tasks.length} tasks recorded`);
  return tasks.reduce((most, { tdur }) => Math.max(most, tdur), 0) / 1000;
}

async function scrolls({ pages, url }) {
  const trace = await sendLong(url);
  const page = await pages.visit(`/traces/${trace}`);
  await lineCount(page, SCROLLED);
  await page.waitForFunction(() => document.querySelectorAll(".line").length > 20);
  // What loading left behind is over.
  await page.evaluate(() => new Promise((done) => requestIdleCallback(done)));
  await pages.browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline", "devtools.timeline", "__metadata"] });
  const frames = await scrollThrough(page);
  const task = longestTask(await pages.browser.stopTracing());
  const [median, p99, longest] = [frames[200], frames[395], frames[399]].map((ms) => Math.round(ms));
  console.log(`      ${SCROLLED} spans, 400 frames: median ${median} ms, p99 ${p99} ms, longest ${longest} ms; longest work of the page ${Math.round(task)} ms`);
  assert(await lines(page).count() < 120, "only what is on screen is in the document");
  assert(task <= FRAME_MS, `the page worked ${task} ms for a frame`);
}

async function forbidden({ pages, url }) {
  pages.allow("403");
  await put(url, { state: "forbidden" });
  const page = await pages.visit("/traces");
  await page.getByText("You may not see this").waitFor();
  await page.goto(`${url}/traces/abc`);
  await page.getByText("You may not see this").waitFor();
}

async function withoutSums({ pages, url }) {
  pages.allow("408");
  await put(url, { state: "no_sql" });
  const page = await pages.visit("/traces");
  await traces(page).first().locator(".trace-spans").getByText("–").waitFor();
}

async function slow({ pages, url }) {
  const page = await pages.visit("/traces");
  await traces(page).first().waitFor();
  await put(url, { state: "slow" });
  await page.keyboard.press("-");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("The search was cancelled").waitFor();
  await put(url, { state: "ok" });
  await page.locator(".state-card").getByRole("button", { name: "Try again" }).click();
  await traces(page).first().waitFor();
}

async function away({ pages, url }) {
  pages.allow("ERR_", "Failed to load resource");
  const page = await pages.visit("/traces");
  await traces(page).first().waitFor();
  await put(url, { state: "down" });
  await page.keyboard.press("r");
  await page.getByText("The server does not answer").first().waitFor();
  await put(url, { state: "ok" });
  await traces(page).first().waitFor();
}

async function tooMuch({ pages, url }) {
  await put(url, { state: "ok" });
  const page = await pages.visit(`/traces/${"b16".padEnd(32, "0")}?most=1000`);
  await page.getByText("The first 1,000 spans are shown; there are more.").waitFor();
  await page.getByRole("button", { name: "Load up to 20,000" }).click();
  await lineCount(page, 3000);
}

export const traceJourneys = [
  ["traces: finds them by service, operation, duration and errors", finds],
  ["traces: shows each by the span it began with, unless asked for parts", findsByRoot],
  ["traces: only those through another service", through],
  ["traces: reads one, with errors, skew and critical path", reads],
  ["traces: from a record to its trace, and from a span to its logs", toLogsAndBack],
  ["traces: by keyboard", byKeyboard],
  ["traces: shows hostile values as text", inert],
  ["traces: read on a phone", onPhone],
  ["traces: break no accessibility rule, light and dark", accessible],
  ["traces: scroll 20,000 spans without a long frame", scrolls],
];

/** A test that failed half-way leaves the mock as it was: the next one starts from a healthy server all the same. */
export const healthy = (test) => async (given) => {
  await put(given.url, { state: "ok", session: null });
  try {
    await test(given);
  } finally {
    await put(given.url, { state: "ok", session: null });
  }
};

export const traceStates = [
  ["traces: forbidden says so", forbidden],
  ["traces: sums that are not to be had", withoutSums],
  ["traces: slow says so and can be cancelled", slow],
  ["traces: server away and back", away],
  ["traces: more spans than are shown are counted", tooMuch],
].map(([name, test]) => [name, healthy(test)]);
