/** The palette: from anywhere to anything, by keyboard. */
import { assert, equal, ingest, param, rowCount, some } from "./harness.mjs";
import { violations } from "./accessible.mjs";
import { shop } from "./traces.mjs";

const CALL = "Control+k";
const dialog = (page) => page.locator("dialog.palette");
const field = (page) => page.getByRole("combobox", { name: "Go to anything" });
const chosen = (page) => page.locator('.palette-option[aria-selected="true"]');

async function call(page, text) {
  await page.keyboard.press(CALL);
  await field(page).waitFor();
  await page.keyboard.type(text);
}

async function gone(page) {
  await dialog(page).waitFor({ state: "detached" });
}

async function leadsAnywhere({ pages, url, token }) {
  const word = `${token}pal`;
  const { trace } = await shop(url, word);
  const page = await pages.visit("/overview?from=-1h");
  await page.locator(".overview-service").first().waitFor();

  await call(page, `${word}-pay tra`);
  await page.locator(`[data-command="service traces ${word}-pay"]`).waitFor();
  await page.keyboard.press("Enter");
  await gone(page);
  await page.locator(".trace-row").first().waitFor();
  equal([new URL(page.url()).pathname, param(page, "service"), param(page, "from")], ["/traces", `${word}-pay`, "-1h"], "the traces of the service");

  await call(page, trace);
  await page.keyboard.press("Enter");
  await page.waitForFunction((id) => location.pathname === `/traces/${id}`, trace);
  await page.locator(".waterfall .line").first().waitFor();
  await call(page, "critical");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("path") !== null || new URLSearchParams(location.search).get("critical") !== null);

  await call(page, "patterns");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.pathname === "/patterns");
  await page.goBack();
  await page.waitForFunction((id) => location.pathname === `/traces/${id}`, trace);
}

async function searches({ pages, url, token }) {
  await ingest(url, some(`${token}seek`, 6));
  // In quotes it is no service's name.
  const word = `"${token}seek"`;
  const page = await pages.visit("/services?from=-1h");
  await page.locator(".services-table, .state-card, tr[data-service]").first().waitFor();
  await call(page, word);
  await page.locator('[data-command="search"]').waitFor();
  equal(await chosen(page).getAttribute("data-command"), "search", "what is left is to search");
  await page.keyboard.press("Enter");
  await rowCount(page, 6);
  equal([param(page, "q"), param(page, "from")], [word, "-1h"], "the search");
  await call(page, "last 4 hours");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("from") === "-4h");
  equal(param(page, "q"), word, "the search over another time");
  await rowCount(page, 6);
}

async function byKeyboard({ pages, url, token }) {
  await ingest(url, some(`${token}palkeys`, 3));
  const page = await pages.visit(`/logs?q=${token}palkeys&tail=0`);
  await rowCount(page, 3);
  await page.locator("#search").focus();
  await call(page, "");
  const first = await chosen(page).getAttribute("data-command");
  await page.keyboard.press("ArrowDown");
  assert((await chosen(page).getAttribute("data-command")) !== first, "the arrow goes on");
  equal(await field(page).getAttribute("aria-activedescendant"), await chosen(page).getAttribute("id"), "what is said");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  equal(await chosen(page).getAttribute("data-command"), await page.locator(".palette-option").last().getAttribute("data-command"), "before the first is the last");
  await page.keyboard.press("PageUp");
  await page.keyboard.press("Escape");
  await gone(page);
  equal(await page.evaluate(() => document.activeElement?.id), "search", "the focus is where it was");

  await page.evaluate(() => document.activeElement.blur());
  await call(page, "turn the order");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("order") === "asc");
  await call(page, "theme dark");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  await page.getByRole("button", { name: "Theme: dark" }).waitFor();
  await page.keyboard.press("?");
  await page.locator("dialog.shortcuts").waitFor();
  await page.keyboard.press(CALL);
  equal(await dialog(page).count(), 0, "one dialog at a time");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Go to anything" }).click();
  await page.locator('[data-command="page /sql"]').click();
  await page.waitForFunction(() => location.pathname === "/sql");
}

async function accessible({ pages }) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit("/logs?tail=0", { colorScheme, reducedMotion: "reduce", bypassCSP: true });
    await page.locator("#search").waitFor();
    await call(page, "l");
    await page.locator(".palette-option").first().waitFor();
    equal(await violations(page), [], `the rules, ${colorScheme}`);
  }
}

export const paletteJourneys = [
  ["palette: leads to the traces of a service, to a trace, to what the page can do and to a page", leadsAnywhere],
  ["palette: searches, and shows another time", searches],
  ["palette: by keyboard, and the focus comes back", byKeyboard],
  ["palette: breaks no accessibility rule", accessible],
];
