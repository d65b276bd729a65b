/** How even it runs: the longest frame while one scrolls through many rows. */
import { sendSpansTo } from "../e2e/harness.mjs";

const ROWS = 100_000;
const SPANS = 20_000;
const AT_ONCE = 2_000;
const WHEEL_PX = 4_000;
/** What the browser itself calls long. */
const LIMIT_MS = 50;
const SCROLL_MS = 600_000;

/** How many rows the list has loaded, and whether more can come. */
const loaded = (page) => page.evaluate(() => {
  const list = document.querySelector(".list .scroller");
  return { rows: Number(list?.dataset.rows ?? 0), more: list?.getAttribute("aria-rowcount") === "-1" };
});

async function watched(page, work) {
  await page.evaluate(() => window.__bench.frames());
  await work();
  const seen = await page.evaluate(() => {
    window.__bench.seen.on = false;
    return window.__bench.seen;
  });
  return { count: seen.count, longest: Math.max(seen.longest, seen.long) };
}

const row = (name, { count, longest }) => ({ name, unit: `ms, of ${count} frames`, values: [longest], limit: LIMIT_MS });

/** By the wheel, to the end of what is loaded, whereupon more is, until 100,000 rows are there or no more come. */
async function scrollLogs(open, data) {
  const page = await open(data.address("/logs", 0, { tail: "0" }));
  await page.locator(".log-row").first().waitFor();
  await page.locator(".list .scroller").hover();
  const until = performance.now() + SCROLL_MS;
  const seen = await watched(page, async () => {
    for (let now = await loaded(page); now.more && now.rows < ROWS && performance.now() < until; now = await loaded(page)) await page.mouse.wheel(0, WHEEL_PX);
  });
  return row(`scrolling ${(await loaded(page)).rows} records, longest frame`, seen);
}

function spansOf(trace, at) {
  const id = (n) => n.toString(16).padStart(16, "0");
  return Array.from({ length: SPANS }, (_, i) => ({
    trace, id: id(i + 1), parent: i === 0 ? "" : id(Math.ceil(i / 4)), service: `bench-${i % 12}`, name: `step ${i % 40}`, kind: i === 0 ? "server" : "internal", at: at + i / 10, ms: i === 0 ? SPANS / 10 : 40,
    ...(i % 97 === 96 ? { error: "did not work" } : {}),
  }));
}

async function scrollTrace(open, otlp) {
  const trace = Date.now().toString(16).padStart(32, "b");
  const spans = spansOf(trace, Date.now() - 10_000);
  for (let from = 0; from < spans.length; from += AT_ONCE) await sendSpansTo(otlp, spans.slice(from, from + AT_ONCE));
  const page = await open(`/traces/${trace}`, { there: ".waterfall .line" });
  await page.locator(".waterfall .line").first().waitFor();
  const first = await page.evaluate(() => window.__bench.took);
  await page.locator(".waterfall .scroller").hover();
  const seen = await watched(page, async () => {
    const atEnd = () => page.evaluate(() => {
      const { scrollTop, clientHeight, scrollHeight } = document.querySelector(".waterfall .scroller");
      return scrollTop + clientHeight >= scrollHeight - 2;
    });
    while (!(await atEnd())) await page.mouse.wheel(0, WHEEL_PX);
  });
  return [{ name: `a trace of ${SPANS} spans, from its link to its lines`, values: [first] }, row(`scrolling ${SPANS} spans, longest frame`, seen)];
}

/** `open` loads an address and answers the page; spans are only sent to a server whose owner wants that. */
export async function frames({ open, data, send }) {
  return [await scrollLogs(open, data), ...(send ? await scrollTrace(open, data.otlp) : [])];
}
