/** What somebody does who sees it for the first time: own services, errors in one click, a log and its trace, a word, and the link for a colleague. */
const LOAD_MS = 1000;
const DRAWN_MS = 100;
const OVERVIEW = { path: "/", there: ".overview-service" };
const ROWS = { path: "/logs", asks: ["logs"], there: ".log-row" };

/** `take` measures one step; each run is a new profile. */
export async function newcomer({ open, take, data, copy }) {
  const live = Date.now() - Date.parse(data.to) < 60_000;
  const range = data.range(Math.floor(Math.random() * 1000));
  const start = live ? "/" : `/overview?${new URLSearchParams(range)}`;
  const page = await open(start, { ...OVERVIEW, path: start.split("?")[0] });
  await take("first load: own services on screen", LOAD_MS, page, null);
  await take("one click to the logs of a service", data.asked, page, { act: () => page.locator(".overview-service a[href^='/logs']").first().click(), done: ROWS });
  await page.locator('.facet[data-field="severity"] .facet-pick').first().waitFor();
  const error = page.locator('.facet[data-field="severity"] .facet-pick').filter({ hasText: /error|warn|info/ }).first();
  await take("one click to one severity", data.asked, page, { act: () => error.click(), done: { ...ROWS, changed: { q: new URL(page.url()).searchParams.get("q") } } });
  await take("a log", DRAWN_MS, page, { act: () => page.locator(".log-row").first().click(), done: { there: ".panel .field", changed: { record: null } } });
  const trace = page.locator(".panel .trace a").first();
  if (data.has.spans && await trace.count() > 0) {
    await take("its trace", data.asked, page, { act: () => trace.click(), done: { there: ".waterfall .line" } });
    await page.goBack();
    await page.locator(".log-row").first().waitFor();
  }
  await page.keyboard.press("Escape");
  await page.locator("#search").fill(data.word(3));
  await page.locator("#search").focus();
  await take("a word", data.asked, page, { act: () => page.keyboard.press("Enter"), done: { ...ROWS, changed: { q: new URL(page.url()).searchParams.get("q") } } });
  const other = await copy(page.url(), ROWS);
  await take("the copied link in a fresh profile", LOAD_MS, other, null);
}
