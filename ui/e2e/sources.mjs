/** Who sends, and what became of it: the ledger, one source of it, and the way from there to its records. */
import { violations } from "./accessible.mjs";
import { assert, equal, ingest, param, rowCount, search, some } from "./harness.mjs";
import { healthy, put } from "./traces.mjs";

const source = (page, sender) => page.locator(`tr[data-source="ndjson|127.0.0.1|${sender}"]`);
const panel = (page) => page.getByRole("complementary", { name: "Source" });
const term = (page, name) => page.locator(".term").filter({ hasText: name }).locator("dd");
const only = (sender) => `/sources?q=${encodeURIComponent(sender)}`;

/** Two senders, one of which is heard twice. */
async function send(url, word) {
  await ingest(url, some(`${word}one`, 12), `${word}/a`);
  await ingest(url, some(`${word}two`, 8), `${word}/a`);
  await ingest(url, some(`${word}three`, 5), `${word}/b`);
}

async function balances({ pages, url, token }) {
  const word = `${token}bal`;
  await send(url, word);
  const page = await pages.visit(only(word));
  await source(page, `${word}/a`).waitFor();
  equal(await page.locator("tr[data-source]").count(), 2, "sources");
  equal(await source(page, `${word}/a`).locator("td").first().innerText(), "20", "received by the first");
  await source(page, `${word}/a`).getByText("It balances").waitFor();
  await source(page, `${word}/a`).getByRole("img", { name: "20 received, 20 stored" }).waitFor();
  equal([await term(page, "received").innerText(), await term(page, "stored").innerText(), await term(page, "dropped").innerText()], ["25", "25", "0"], "the equation of both");
  await page.locator(".term-verdict").getByText("It balances").waitFor();
  await page.getByLabel("Filter sources").fill(`${word} /b`);
  await page.waitForFunction(() => document.querySelectorAll("tr[data-source]").length === 1);
  equal(await term(page, "received").innerText(), "5", "received by the one that is left");
  await page.getByLabel("Filter sources").fill("nobody-of-that-name");
  await page.getByText("No source matches").waitFor();
  await page.locator(".sources-body").getByRole("button", { name: "Clear the filter" }).click();
  await page.getByLabel("Protocol").selectOption("ndjson");
  await source(page, `${word}/a`).waitFor();
  equal(param(page, "protocol"), "ndjson", "the protocol in the address");
}

async function details({ pages, url, token }) {
  const word = `${token}det`;
  await send(url, word);
  const page = await pages.visit(`${only(word)}&from=-1h`);
  await source(page, `${word}/a`).getByRole("button").click();
  await panel(page).getByText(`${word}/a`).first().waitFor();
  equal(param(page, "source"), `ndjson|127.0.0.1|${word}/a`, "the source in the address");
  const minutes = panel(page).getByRole("region", { name: "By minute" }).locator("tbody tr");
  await minutes.first().waitFor();
  const received = await minutes.locator("td:nth-child(2)").allInnerTexts();
  equal(received.reduce((sum, text) => sum + Number(text), 0), 20, "received in all its minutes");
  equal(await panel(page).locator(".sum-total .number").innerText(), "20", "received");
  await page.reload();
  await panel(page).getByRole("link", { name: "Logs" }).click();
  await page.locator(".log-row").first().waitFor();
  equal([new URL(page.url()).pathname, param(page, "q"), param(page, "from")], ["/logs", "logkeep.protocol:ndjson and logkeep.source:127.0.0.1", "-1h"], "its logs");
  await search(page, `${param(page, "q")} and ${word}three`);
  await rowCount(page, 5);
}

async function sorts({ pages, url, token }) {
  const word = `${token}sort`;
  await send(url, word);
  const page = await pages.visit(only(word));
  const order = () => page.locator("tr[data-source]").evaluateAll((rows) => rows.map((row) => row.dataset.source.slice(-1)));
  await source(page, `${word}/a`).waitFor();
  equal(await order(), ["a", "b"], "by received");
  await page.getByRole("columnheader", { name: "Received" }).getByRole("button").click();
  await page.locator('th[aria-sort="ascending"]').getByText("Received").waitFor();
  equal(await order(), ["b", "a"], "by received, turned");
  await page.getByRole("columnheader", { name: "Source" }).getByRole("button").click();
  equal(await order(), ["a", "b"], "by name");
  const other = await pages.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await other.locator('th[aria-sort="ascending"]').getByText("Source").waitFor();
}

async function byKeyboard({ pages, url, token }) {
  const word = `${token}keys`;
  await send(url, word);
  const page = await pages.visit("/logs?from=-1h");
  await page.locator("#search").waitFor();
  await page.keyboard.press("5");
  await page.locator("tr[data-source]").first().waitFor();
  equal([new URL(page.url()).pathname, param(page, "from")], ["/sources", "-1h"], "the sources, of the same range");
  await page.keyboard.press("/");
  await page.keyboard.type(word);
  await page.waitForFunction(() => document.querySelectorAll("tr[data-source]").length === 2);
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await panel(page).getByText(`${word}/b`).first().waitFor();
  await page.keyboard.press("Escape");
  await panel(page).waitFor({ state: "detached" });
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).getByText("next, previous source").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("[");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("to")?.endsWith("Z"));
}

async function inert({ pages, url, token }) {
  const sender = `${token}<img src=x onerror="document.title='owned'"><script>alert(1)</script>`;
  await ingest(url, some(`${token}inert`, 3), sender);
  const page = await pages.visit(only(`${token}<img`));
  await page.getByRole("button", { name: token }).first().click();
  await panel(page).getByText(sender).first().waitFor();
  equal(await page.locator("#root :is(img, script, b, i)").count(), 0, "elements made from data");
  equal(await page.title(), "Sources – Logkeep", "the title");
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 1440, "width of the page");
}

async function onPhone({ pages, url, token }) {
  const word = `${token}palm`;
  await send(url, word);
  const page = await pages.visit(only(word), { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  await source(page, `${word}/a`).waitFor();
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);
  equal(await width(), 390, "width of the list");
  for (const part of [source(page, `${word}/a`).locator(".balance-bar"), source(page, `${word}/a`).locator(".spark"), page.locator(".term").last()]) {
    const box = await part.boundingBox();
    assert(box.x >= 0 && box.x + box.width <= 390, `it is within the page: ${JSON.stringify(box)}`);
  }
  await page.getByLabel("Sort by").selectOption("seen");
  equal(param(page, "sort"), "seen", "how it is sorted, in the address");
  await source(page, `${word}/b`).getByRole("button").tap();
  await panel(page).getByRole("link", { name: "Logs" }).waitFor();
  equal(await width(), 390, "width of the details");
}

async function accessible({ pages, url, token }) {
  const word = `${token}even`;
  await send(url, word);
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit("/sources", { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await source(page, `${word}/a`).waitFor();
    equal(await violations(page), [], `the sources, ${colorScheme}`);
    await source(page, `${word}/a`).getByRole("button").click();
    await panel(page).getByRole("region", { name: "By minute" }).waitFor();
    equal(await violations(page), [], `a source, ${colorScheme}`);
    await page.goto(`${url}/sources?from=2001-01-01T00:00:00Z&to=2001-01-01T01:00:00Z`);
    await page.getByText("Nothing arrived in this range").waitFor();
    equal(await violations(page), [], `nothing, ${colorScheme}`);
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${url}/sources?q=${word}`);
    await source(page, `${word}/a`).waitFor();
    equal(await violations(page), [], `on a phone, ${colorScheme}`);
  }
}

const one = (page, start) => page.locator(`tr[data-source^="${start}"]`);

async function saysWhatIsMissing({ pages, url }) {
  await put(url, { state: "unbalanced" });
  const page = await pages.visit("/sources", { bypassCSP: true });
  await one(page, "syslog").getByText(/\d+ records missing/).waitFor();
  await page.locator(".term-verdict").getByText(/\d+ records missing/).waitFor();
  equal(await page.locator(".term.text-error dt .swatch.fate-missing").count(), 1, "the term of the equation");
  await one(page, "otlp").getByText("It balances").waitFor();
  equal(await violations(page), [], "what is missing");
  await one(page, "syslog").getByRole("button").click();
  await panel(page).locator(".sum").getByText("missing").waitFor();
}

async function saysWhoIsSilent({ pages }) {
  const page = await pages.visit("/sources", { bypassCSP: true });
  await one(page, "beats").getByText(/Silent for [67] min/).waitFor();
  equal(await page.locator(".silent").count(), 1, "who is silent");
  await page.locator(".footer").getByText("1 silent").waitFor();
  equal(await violations(page), [], "who is silent");
  // It sent last before this range began.
  await page.goto(`${new URL(page.url()).origin}/sources?from=-5m`);
  await one(page, "beats").getByText(/Silent for/).waitFor();
  await page.goto(`${new URL(page.url()).origin}/sources?from=-1h`);
  await one(page, "elasticsearch").waitFor();
  await one(page, "beats").getByRole("button").click();
  await panel(page).getByText(/Silent for/).waitFor();
}

async function saysWhy({ pages }) {
  const page = await pages.visit("/sources");
  await one(page, "syslog").getByRole("button").click();
  await panel(page).getByText("drop-health-checks").waitFor();
  await panel(page).getByText(/left out by this policy/).waitFor();
  await panel(page).getByText(/messages over UDP that found no room/).waitFor();
  await one(page, "zipkin").getByRole("button").click();
  await panel(page).getByRole("link", { name: "Traces" }).click();
  await page.waitForFunction(() => new URLSearchParams(location.search).get("q") === "logkeep.protocol:zipkin and logkeep.source:10.1.4.50");
  equal(new URL(page.url()).pathname, "/traces", "where spans are");
}

async function saysWhenItEndedWithoutAStop({ pages, url }) {
  await put(url, { session: "administrator" });
  const page = await pages.visit("/sources", { bypassCSP: true });
  await page.getByText(/The server came up at .* after an end without a stop/).waitFor();
  equal(await violations(page), [], "an end without a stop");
}

async function forbidden({ pages, url }) {
  pages.allow("403");
  await put(url, { state: "forbidden" });
  const page = await pages.visit("/sources");
  await page.getByText("You may not see this").waitFor();
}

async function notForEverybody({ pages, url }) {
  await put(url, { session: "engineer" });
  const page = await pages.visit("/sources", { bypassCSP: true });
  await page.getByText("The ledger is for administrators").waitFor();
  equal(await violations(page), [], "what is not for everybody");
}

async function awayAndBack({ pages, url }) {
  pages.allow("ERR_", "Failed to load resource");
  const page = await pages.visit("/sources");
  await one(page, "otlp").waitFor();
  await put(url, { state: "down" });
  await page.keyboard.press("r");
  await page.getByText("The server does not answer").first().waitFor();
  await put(url, { state: "ok" });
  await page.getByText("The server does not answer").waitFor({ state: "detached" });
  await one(page, "otlp").waitFor();
}

export const sourceJourneys = [
  ["sources: what was received balances, of all and of each", balances],
  ["sources: one of them, minute by minute, and its records", details],
  ["sources: sorted as one asks", sorts],
  ["sources: by keyboard", byKeyboard],
  ["sources: show hostile names as text", inert],
  ["sources: read on a phone", onPhone],
  ["sources: break no accessibility rule, light and dark", accessible],
];

export const sourceStates = [
  ["sources: say what is missing", saysWhatIsMissing],
  ["sources: say who is silent", saysWhoIsSilent],
  ["sources: say why records were not stored", saysWhy],
  ["sources: say when the server ended without a stop", saysWhenItEndedWithoutAStop],
  ["sources: forbidden says so", forbidden],
  ["sources: are not for everybody", notForEverybody],
  ["sources: server away and back", awayAndBack],
].map(([name, test]) => [name, healthy(test)]);
