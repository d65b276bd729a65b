/** What a person does on the first floor. Every test sends its own records and looks only for those. */
import { accessible } from "./accessible.mjs";
import { assert, equal, ingest, live, param, rowCount, rows, search, some } from "./harness.mjs";

async function opensLive({ pages, url, token }) {
  const word = `${token}first`;
  const page = await pages.visit("/logs");
  await live(page);
  await ingest(url, some(word, 1));
  await page.getByText(`${word} number 0`).waitFor();
  equal(new URL(page.url()).search, "", "the address of a fresh page");
}

async function searches({ pages, url, token }) {
  const word = `${token}search`;
  await ingest(url, some(word, 8));
  const page = await pages.visit("/logs");
  await search(page, word);
  await rowCount(page, 8);
  await search(page, `${word} and not severity:error`);
  await rowCount(page, 6);
  await page.goBack();
  await rowCount(page, 8);
  equal(param(page, "q"), word, "the query after going back");
}

async function completes({ pages, url, token }) {
  const word = `${token}complete`;
  await ingest(url, some(word, 4));
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 4);
  const field = page.locator('.facet[data-field="test.parity"]');
  await field.waitFor();
  await page.keyboard.press("/");
  await page.keyboard.press("End");
  await page.keyboard.type(" and test.par");
  await page.getByRole("option", { name: /test\.parity/ }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Tab");
  await page.keyboard.type("od");
  await page.getByRole("option", { name: /^odd/ }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await rowCount(page, 2);
  equal(param(page, "q"), `${word} and test.parity:odd`, "the completed query");
}

async function zooms({ pages, url, token }) {
  const word = `${token}zoom`;
  await ingest(url, some(word, 4));
  const page = await pages.visit(`/logs?q=${word}`);
  await page.locator(".histogram rect[class^=fill]").first().waitFor();
  const box = await page.locator(".histogram-plot").boundingBox();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 40);
  await page.mouse.move(box.x + box.width - 2, box.y + 40);
  await page.locator(".brush").waitFor();
  await page.mouse.up();
  await page.waitForFunction(() => new URLSearchParams(location.search).get("from")?.endsWith("Z"));
  await rowCount(page, 4);
  await page.locator('[data-tail="off"]').waitFor();
  const width = Date.parse(param(page, "to")) - Date.parse(param(page, "from"));
  assert(width > 0 && width < 600_000, `the brush chose ${width} ms of 900,000`);
  await page.goBack();
  await live(page);
  equal(param(page, "from"), null, "the range after going back");
}

async function zoomsByKey({ pages, url, token }) {
  await ingest(url, some(`${token}keys`, 2));
  const page = await pages.visit(`/logs?q=${token}keys`);
  await page.locator(".histogram rect[class^=fill]").first().waitFor();
  await page.locator(".histogram-plot").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Shift+ArrowLeft");
  await page.locator(".brush").waitFor();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("from")?.endsWith("Z"));
}

async function opensRecord({ pages, url, token }) {
  const word = `${token}open`;
  await ingest(url, some(word, 4));
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 4);
  await page.getByText(`${word} number 2`).click();
  const panel = page.getByRole("complementary", { name: "Record" });
  await panel.locator('.field[data-field="test.parity"]').getByText("even").waitFor();
  await panel.getByRole("tab", { name: "Surrounding" }).click();
  await panel.locator(".context-current").getByText(`${word} number 2`).waitFor();
  await panel.getByRole("tab", { name: "JSON" }).click();
  await panel.getByText('"id":').waitFor();
  const other = await pages.visit(new URL(page.url()).search);
  await other.locator(".panel .message").getByText(`${word} number 2`, { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  equal(param(page, "record"), null, "the record after Escape");
}

async function filtersByClick({ pages, url, token }) {
  const word = `${token}click`;
  await ingest(url, some(word, 8));
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 8);
  const facet = page.locator('.facet[data-field="service.name"]');
  await facet.getByRole("button", { name: `Only ${word}-a` }).click();
  await rowCount(page, 4);
  await facet.getByRole("button", { name: `Stop filtering by ${word}-a` }).first().click();
  await rowCount(page, 8);
  await facet.getByRole("button", { name: `Only ${word}-b` }).click({ modifiers: ["Alt"] });
  await rowCount(page, 4);
  await rows(page).first().click();
  const field = page.locator('.panel .field[data-field="test.parity"]');
  await field.hover();
  await field.getByRole("button", { name: "Filter out this test.parity" }).click();
  await page.getByText("The search matches nothing here").waitFor();
  await page.locator(".culprit").first().getByRole("button", { name: "Drop it" }).click();
  await rowCount(page, 4);
}

async function followsTail({ pages, url, token }) {
  const word = `${token}tail`;
  await ingest(url, some(word, 40));
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 40);
  await live(page);
  await ingest(url, [{ severity: "error", "service.name": word, message: `${word} fresh one` }]);
  await rowCount(page, 41);
  await rows(page).filter({ hasText: "fresh one" }).waitFor();
  await page.keyboard.press("Space");
  await page.locator('[data-tail="paused"]').waitFor();
  await ingest(url, [{ severity: "info", "service.name": word, message: `${word} while paused` }]);
  await page.getByRole("button", { name: /1 new record/ }).waitFor();
  await rowCount(page, 41);
  await page.getByRole("button", { name: /1 new record/ }).click();
  await rowCount(page, 42);
  await live(page);
  await page.keyboard.press("t");
  await page.locator('[data-tail="off"]').waitFor();
  equal(param(page, "tail"), "0", "the tail in the address");
  await rowCount(page, 42);
}

async function pausesOnScroll({ pages, url, token }) {
  const word = `${token}scroll`;
  await ingest(url, some(word, 120));
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 120);
  await live(page);
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, 600);
  await page.locator('[data-tail="paused"]').waitFor();
}

async function roundTrip({ pages, url, token }) {
  const word = `${token}trip`;
  await ingest(url, some(word, 6));
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 6);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  const field = page.locator('.panel .field[data-field="test.parity"]');
  await field.hover();
  await field.getByRole("button", { name: "Show test.parity as a column" }).click();
  await page.locator(".list-head").getByText("test.parity").waitFor();
  await page.keyboard.press("o");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("order") === "asc");
  await page.locator(".row-active").waitFor();
  const seen = (p) => p.locator(".log-row").allInnerTexts();
  const other = await pages.visit(new URL(page.url()).search);
  await rowCount(other, 6);
  await other.locator(".row-active").waitFor();
  await other.locator('.panel .field[data-field="test.parity"]').waitFor();
  equal(await seen(other), await seen(page), "rows in a fresh browser");
  equal(other.url(), page.url(), "the address there");
}

async function marksError({ pages }) {
  pages.allow("400");
  const page = await pages.visit("/logs");
  await page.locator("#search").fill("service.name:x and status>=");
  await page.locator(".search-fault").waitFor();
  equal(await page.locator("#search").getAttribute("aria-invalid"), "true", "aria-invalid");
  await page.locator("#search").press("Enter");
  await page.getByText("The search could not be read").waitFor();
  await page.locator("#search").fill("");
  await page.locator("#search").press("Enter");
  await page.getByText("The search could not be read").waitFor({ state: "detached" });
}

async function inert({ pages, url, token }) {
  const word = `${token}inert`;
  await ingest(url, [{
    severity: "info", "service.name": `<b>${word}</b>`, message: `${word} <img src=x onerror="document.title='owned'"><script>alert(1)</script>`,
    "<i>key</i>": "<u>value</u>", "bidi": `\u202e${word}`,
  }]);
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 1);
  await rows(page).first().click();
  await page.locator(".panel .field").first().waitFor();
  await page.locator(".facet").first().waitFor();
  equal(await page.locator("#root :is(img, script, b, u)").count(), 0, "elements made from data");
  equal(await page.title(), "Logkeep", "the title");
  await page.locator('.panel .field[data-field="bidi"]').getByText("\\u202e").waitFor();
}

async function namesClause({ pages, url, token }) {
  const word = `${token}clause`;
  await ingest(url, some(word, 4));
  const page = await pages.visit(`/logs?q=${word} and service.name:no-such-service and severity:*`);
  await page.locator(".culprit").getByText("service.name:no-such-service").waitFor();
  equal(await page.locator(".culprit").count(), 1, "clauses named");
  await page.getByRole("button", { name: "Drop it" }).click();
  await rowCount(page, 4);
}

async function teaches({ pages, url, token }) {
  const word = `${token}teach`;
  await ingest(url, some(word, 8));
  const page = await pages.visit(`/logs?q=${word}`);
  await page.locator('.facet[data-field="service.name"]').waitFor();
  await page.getByRole("button", { name: "How to search" }).focus();
  await page.keyboard.press("Enter");
  const help = page.getByRole("dialog", { name: "Searching" });
  await help.waitFor();
  const queries = await help.locator("code").allInnerTexts();
  assert(queries.length >= 9, `${queries.length} examples`);
  assert(queries.some((query) => query.includes(`${word}-`)), `an example of one's own services among ${queries.join(" | ")}`);
  for (const query of queries) {
    const answer = await page.request.get(`${url}/api/v1/logs?limit=1&q=${encodeURIComponent(query)}`);
    equal(answer.status(), 200, `the answer to ${query}`);
  }
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForFunction((q) => new URLSearchParams(location.search).get("q") === q, queries[0]);
}

async function jumpsToData({ pages, url, token }) {
  await ingest(url, some(`${token}jump`, 2));
  const page = await pages.visit("/logs?from=2001-01-01T00:00:00Z&to=2001-01-01T01:00:00Z");
  await page.getByRole("button", { name: "Jump to the nearest data" }).click();
  await rows(page).first().waitFor();
}

async function keyboard({ pages, url, token }) {
  const word = `${token}board`;
  await ingest(url, some(word, 5));
  const page = await pages.visit(`/logs?q=${word}`);
  await rowCount(page, 5);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor({ state: "detached" });
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator(".panel .field").first().waitFor();
  const first = param(page, "record");
  await page.keyboard.press("j");
  await page.waitForFunction((id) => new URLSearchParams(location.search).get("record") !== id, first);
  await page.keyboard.press("k");
  await page.waitForFunction((id) => new URLSearchParams(location.search).get("record") === id, first);
  await page.keyboard.press("Escape");
  await page.keyboard.press("[");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("to")?.endsWith("Z"));
}

async function narrow({ pages, url, token }) {
  const word = `${token}phone`;
  await ingest(url, some(word, 5));
  const page = await pages.visit(`/logs?q=${word}`, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  await rowCount(page, 5);
  await rows(page).nth(1).tap();
  await page.locator(".panel .field").first().waitFor();
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, "width of the page");
}

export const journeys = [
  ["opens on the last 15 minutes with the tail on", opensLive],
  ["searches, and back undoes it", searches],
  ["completes fields and values", completes],
  ["zooms the histogram by brush", zooms],
  ["zooms the histogram by keyboard", zoomsByKey],
  ["opens a record, its surroundings, its JSON and its link", opensRecord],
  ["filters by click, in and out", filtersByClick],
  ["follows the live tail, pauses and resumes", followsTail],
  ["pauses the tail when scrolled", pausesOnScroll],
  ["comes back from its URL in a fresh browser", roundTrip],
  ["marks an error where it is", marksError],
  ["shows hostile values as text", inert],
  ["names the clause that excludes everything", namesClause],
  ["teaches the language by one's own fields, each example one that is answered", teaches],
  ["jumps to the nearest data", jumpsToData],
  ["works by keyboard", keyboard],
  ["reads on a phone", narrow],
  ["breaks no accessibility rule, light and dark", accessible],
];
