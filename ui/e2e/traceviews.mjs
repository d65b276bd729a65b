/** Other ways to look at traces: durations over time, calls by path, two side by side. Every test sends its own spans, against any server. */
import { violations } from "./accessible.mjs";
import { assert, equal, ingest, param, sendSpans } from "./harness.mjs";
import { healthy, put, sendLong, shop, traceCount } from "./traces.mjs";

const plot = (page) => page.getByRole("slider", { name: /Durations of the traces/ });
const boxes = (page) => page.getByRole("treeitem");
const box = (page, text) => boxes(page).filter({ hasText: text });

/** Waits until the plot holds so many marks, so many of them red. */
async function marks(page, count, errors) {
  await page.waitForFunction(([n, red]) => {
    const { marks, errors } = document.querySelector(".scatter .histogram-plot")?.dataset ?? {};
    return marks === String(n) && errors === String(red);
  }, [count, errors]);
}

async function pairCount(page, count) {
  await page.waitForFunction((n) => document.querySelector(".compare-table")?.dataset.rows === String(n), count);
}

let made = 0;

/** One span of `ms`, `ago` ms before now. */
async function single(url, word, { ms, ago }) {
  const trace = (0xdef0000 + ++made).toString(16) + Date.now().toString(16).padStart(25, "0");
  await sendSpans(url, [{ trace, id: trace.slice(0, 16), service: word, name: "one", kind: "server", at: Date.now() - ago, ms }]);
  return trace;
}

async function drawsDurations({ pages, url, token }) {
  const word = `${token}plot`;
  await shop(url, word, { at: Date.now() - 60_000 });
  await shop(url, word, { error: false, at: Date.now() - 30_000 });
  const page = await pages.visit(`/traces?service=${word}-web&operation=GET /${word}`);
  await traceCount(page, 2);
  await marks(page, 2, 1);
  await plot(page).focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.activeElement?.getAttribute("aria-valuetext")?.includes("has errors"));
  await page.locator(".scatter-readout").getByText("100 ms").waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
  await page.goBack();
  await marks(page, 2, 1);
  await page.keyboard.press("d");
  await plot(page).waitFor({ state: "detached" });
  equal(param(page, "scatter"), "0", "the folded plot in the address");
  await page.getByRole("button", { name: "Show durations over time (d)" }).click();
  await marks(page, 2, 1);
}

async function dragsABox({ pages, url, token }) {
  const word = `${token}drag`;
  const [slow, fast] = [await single(url, word, { ms: 900, ago: 300_000 }), await single(url, word, { ms: 2, ago: 200_000 })];
  assert(slow !== fast, "two traces");
  const page = await pages.visit(`/traces?service=${word}`);
  await marks(page, 2, 0);
  const edge = await plot(page).boundingBox();
  await page.mouse.move(edge.x + 80, edge.y + 2);
  await page.mouse.down();
  await page.mouse.move(edge.x + edge.width - 20, edge.y + 40, { steps: 4 });
  await page.mouse.up();
  await traceCount(page, 1);
  await page.locator(`[data-id="${slow}"]`).waitFor();
  assert(/^\d+(ns|us|ms|s)$/.test(param(page, "least")), `the shortest in the address: ${param(page, "least")}`);
  assert(param(page, "from") !== null && param(page, "to") !== null, "the range in the address");
  await page.goBack();
  await traceCount(page, 2);
  equal(param(page, "least"), null, "a step back undoes it");
  await marks(page, 2, 0);
  // Where the mark of the fast one is, a click opens it.
  const at = await page.locator(".scatter .dots").first().evaluate((path) => path.getAttribute("d").split("M").filter(Boolean).map((one) => one.split(/[ h]/).map(Number))[1]);
  const now = await plot(page).boundingBox();
  await page.mouse.click(now.x + at[0], now.y + at[1]);
  await page.waitForURL(new RegExp(fast));
}

async function readsFlame({ pages, url, token }) {
  const word = `${token}flame`;
  const { trace, id } = await shop(url, word);
  const page = await pages.visit(`/traces/${trace}`);
  await page.getByRole("link", { name: "Flame" }).click();
  await box(page, `GET /${word}`).waitFor();
  equal(param(page, "view"), "flame", "the view in the address");
  equal(await boxes(page).count(), 5, "paths");
  equal(await page.locator(".path-error").count(), 3, "paths with errors");
  await box(page, "POST pay").click();
  await page.waitForFunction((wanted) => new URLSearchParams(location.search).get("zoom") === wanted, id(2));
  await box(page, "send paid").waitFor({ state: "detached" });
  await page.locator(".flame-about").getByText("1 call, 60 ms").waitFor();
  await page.goBack();
  await box(page, "send paid").waitFor();
  await page.locator(".flame .scroller").focus();
  await page.keyboard.press("ArrowDown");
  await page.locator(".path-active").filter({ hasText: "POST /pay" }).waitFor();
  await page.keyboard.press("ArrowUp");
  await page.locator(".path-active").filter({ hasText: "POST pay" }).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForFunction((wanted) => new URLSearchParams(location.search).get("zoom") === wanted, id(2));
  await page.keyboard.press("Escape");
  await box(page, "send paid").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("process");
  await page.getByText("1 of 5").waitFor();
  await page.locator(".path-found").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("o");
  await page.getByRole("rowheader", { name: /process paid/ }).waitFor();
  equal(await page.getByRole("rowheader").count(), 1, "what was found in the table");
}

async function sortsOperations({ pages, url, token }) {
  const word = `${token}table`;
  const { trace } = await shop(url, word);
  const page = await pages.visit(`/traces/${trace}?view=table`);
  const first = page.locator(".operations tbody tr").first();
  await first.getByText(`GET /${word}`).waitFor();
  equal(await page.locator(".operations tbody tr").count(), 5, "operations");
  await page.getByRole("button", { name: "Own time" }).click();
  equal(param(page, "by"), "self", "the column in the address");
  equal(await page.getByRole("columnheader", { name: "Own time" }).getAttribute("aria-sort"), "descending", "the order");
  await page.getByRole("button", { name: "Own time" }).click();
  await first.getByText("send paid").waitFor();
  await page.keyboard.press("w");
  await page.locator(".line").first().waitFor();
}

async function compares({ pages, url, token }) {
  const word = `${token}pair`;
  const a = await shop(url, word, { error: false });
  const b = await shop(url, word);
  await sendSpans(url, [{ trace: b.trace, id: b.id(9), parent: b.id(1), service: `${word}-web`, name: "retry", at: Date.now() - 4990, ms: 70 }]);
  const page = await pages.visit(`/traces/${a.trace}`);
  await page.getByRole("link", { name: "Compare with…" }).click();
  await page.getByText("is marked.").waitFor();
  await traceCount(page, 2);
  await page.locator(`[data-id="${b.trace}"]`).getByRole("checkbox").click();
  await page.waitForURL(new RegExp(`/traces/${a.trace}/compare/${b.trace}`));
  await pairCount(page, 6);
  await page.getByText("5 paths in both, 0 only in A, 1 only in B").waitFor();
  equal(await page.locator(".compare-table tbody tr").first().getAttribute("data-only"), "b", "the largest difference");
  await page.getByText("the same service and operation below the same callers").waitFor();
  await page.getByRole("combobox", { name: "Show" }).selectOption("b");
  await pairCount(page, 1);
  equal(param(page, "only"), "b", "the choice in the address");
  await page.keyboard.press("Escape");
  await page.keyboard.press("s");
  await page.waitForURL(new RegExp(`/traces/${b.trace}/compare/${a.trace}`));
  await page.getByText("No path is as asked for.").waitFor();
  await page.goBack();
  await pairCount(page, 1);
}

async function comparesById({ pages, url, token }) {
  pages.allow("404");
  const word = `${token}byid`;
  const { trace } = await shop(url, word);
  const page = await pages.visit(`/traces?service=${word}-web`);
  await traceCount(page, 1);
  await page.keyboard.press("j");
  await page.keyboard.press("m");
  const other = page.getByRole("textbox", { name: "Id or link of the other trace" });
  await other.fill("nonsense");
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByText("no trace id").waitFor();
  await other.fill(`http://somewhere/traces/${trace}?span=1`);
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByText("Both are the same trace").waitFor();
  await pairCount(page, 5);
  await page.goto(`${url}/traces/${trace}/compare/${"e".repeat(32)}`);
  await page.getByRole("region", { name: "Trace B" }).getByText("There is no such trace").waitFor();
  await page.getByRole("region", { name: "Trace A" }).getByText("5 spans").waitFor();
}

async function withoutSpans({ pages, url, token }) {
  const word = `${token}bare`;
  const { trace } = await shop(url, word);
  const bare = (0xbabe0000 + ++made).toString(16) + Date.now().toString(16).padStart(24, "0");
  await ingest(url, [{ severity: "info", "service.name": word, message: `${word} only a record`, trace_id: bare }]);
  const page = await pages.visit(`/traces/${bare}?view=flame`);
  await page.getByText("No flame without spans").waitFor();
  await page.goto(`${url}/traces/${bare}/compare/${bare}`);
  await page.getByText("Nothing to compare").waitFor();
  await page.goto(`${url}/traces/${bare}/compare/${trace}`);
  await page.getByRole("region", { name: "Trace A" }).getByText("No span of this trace arrived").waitFor();
  await page.getByText("0 paths in both, 0 only in A, 5 only in B").waitFor();
}

async function onPhone({ pages, url, token }) {
  const word = `${token}palm`;
  const [a, b] = [await shop(url, word), await shop(url, word)];
  const page = await pages.visit(`/traces?service=${word}-web`, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  await traceCount(page, 2);
  equal(await plot(page).count(), 0, "plots where there is no room");
  await page.getByRole("button", { name: "Show durations over time (d)" }).tap();
  await marks(page, 2, 2);
  for (const search of [`/traces?service=${word}-web&scatter=1&marked=${a.trace}`, `/traces/${a.trace}?view=flame`, `/traces/${a.trace}?view=table`, `/traces/${a.trace}/compare/${b.trace}`]) {
    await page.goto(url + search);
    await page.locator(".trace-row, .path, .operations tr, .compare-table tr").first().waitFor();
    equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, `width of ${search}`);
  }
}

async function accessible({ pages, url, token }) {
  const word = `${token}axev`;
  const [a, b] = [await shop(url, word), await shop(url, word, { error: false })];
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit(`/traces?service=${word}-web&operation=GET /${word}&marked=${a.trace}`, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await marks(page, 2, 1);
    await plot(page).focus();
    await page.keyboard.press("ArrowRight");
    equal(await violations(page), [], `the plot, ${colorScheme}`);
    await page.goto(`${url}/traces/${a.trace}?view=flame&find=pay`);
    await page.locator(".path-found").first().waitFor();
    await page.locator(".flame .scroller").focus();
    await page.keyboard.press("ArrowDown");
    equal(await violations(page), [], `the flame, ${colorScheme}`);
    await page.goto(`${url}/traces/${a.trace}?view=table`);
    await page.locator(".operations tbody tr").first().waitFor();
    equal(await violations(page), [], `the operations, ${colorScheme}`);
    await page.goto(`${url}/traces/${a.trace}/compare/${b.trace}`);
    await pairCount(page, 5);
    equal(await violations(page), [], `two traces, ${colorScheme}`);
  }
}

const SPANS = 20_000;
/** Work for one key may take so long, in ms. */
const STEP_MS = 200;

async function large({ pages, url }) {
  const trace = await sendLong(url);
  const page = await pages.visit(`/traces/${trace}?view=flame`);
  await page.getByText(`20,000 spans on`).waitFor();
  await boxes(page).first().waitFor();
  assert(await boxes(page).count() < 3000, "only what one can see is in the document");
  const took = await page.evaluate(async () => {
    const frame = () => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
    const lengths = [];
    for (const key of ["ArrowDown", "ArrowDown", "ArrowRight", "Enter", "ArrowDown", "Enter", "Escape", "ArrowDown"]) {
      const began = performance.now();
      document.querySelector(".flame .scroller").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      await frame();
      lengths.push(performance.now() - began);
    }
    return lengths;
  });
  console.log(`      ${SPANS} spans, ${await boxes(page).count()} boxes; steps of ${took.map((ms) => Math.round(ms)).join(", ")} ms, two frames each`);
  assert(Math.max(...took) < STEP_MS, `a step took ${Math.max(...took)} ms`);
  await page.goto(`${url}/traces/${trace}/compare/${trace}`);
  await pairCount(page, SPANS);
}

async function forbidden({ pages, url }) {
  pages.allow("403");
  await put(url, { state: "forbidden" });
  const page = await pages.visit("/traces/abc/compare/def");
  await page.getByText("You may not see this").nth(1).waitFor();
  await page.goto(`${url}/traces/abc?view=flame`);
  await page.getByText("You may not see this").waitFor();
}

async function tooLarge({ pages, url }) {
  const trace = "b16".padEnd(32, "0");
  const page = await pages.visit(`/traces/${trace}/compare/${trace}?most=1000`);
  await page.getByText("Only the first 1,000 spans are compared").first().waitFor();
  await page.getByRole("button", { name: "Load up to 20,000" }).first().click();
  await page.getByText("Only the first 1,000 spans are compared").first().waitFor({ state: "detached" });
}

export const traceViewJourneys = [
  ["trace views: durations over time, by keyboard, opened and folded", drawsDurations],
  ["trace views: a box narrows times and durations, a click opens", dragsABox],
  ["trace views: a flame is read, zoomed and searched", readsFlame],
  ["trace views: operations are sorted", sortsOperations],
  ["trace views: two traces from a trace and the list", compares],
  ["trace views: two traces by id, also where one is gone", comparesById],
  ["trace views: a trace without spans says so", withoutSpans],
  ["trace views: on a phone", onPhone],
  ["trace views: break no accessibility rule, light and dark", accessible],
  ["trace views: 20,000 spans", large],
];

export const traceViewStates = [
  ["trace views: forbidden says so", forbidden],
  ["trace views: two traces of more spans than are compared", tooLarge],
].map(([name, test]) => [name, healthy(test)]);
