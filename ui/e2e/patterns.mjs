/** The page of message templates, and the list of logs narrowed to one. Each test asks for its own service alone. */
import { violations } from "./accessible.mjs";
import { equal, ingest, live, param, rowCount, rows } from "./harness.mjs";
import { people } from "./people.mjs";
import { PASSWORD, asked as signInAsked, say } from "./signin.mjs";
import { healthy, put } from "./traces.mjs";

const HOUR_MS = 3_600_000;
const PHONE = { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true };

const table = (page) => page.locator(".patterns-table tbody tr");
const row = (page, text) => table(page).filter({ hasText: text });
const panel = (page) => page.getByRole("complementary", { name: "Template" });
const tab = (page, name) => page.getByRole("tab", { name });
const listed = (page, count) => page.waitForFunction((n) => document.querySelector(".patterns-table")?.dataset.rows === String(n), count);
const asked = (page, name, value) => page.waitForFunction(([key, text]) => new URLSearchParams(location.search).get(key) === text, [name, value]);

/** The last two hours: what was before the middle, and what came after it. */
function hours() {
  const middle = Date.now() - HOUR_MS;
  const iso = (ms) => new Date(ms).toISOString();
  return { before: middle - HOUR_MS / 2, now: middle + HOUR_MS / 2, search: `from=${iso(middle)}&to=${iso(middle + HOUR_MS)}` };
}

const saying = (service, at, count, message, severity = "info") =>
  Array.from({ length: count }, (_, i) => ({ severity, "service.name": service, time: new Date(at + i * 1000).toISOString(), message: message(i) }));

const ZONES = ["north", "south", "south"];
/** Letters alone are constant: so nobody else has the templates of a test. */
const lettersOf = (word) => word.replace(/\d/g, (digit) => "abcdefghij"[digit]);

function statements(word) {
  const own = lettersOf(word);
  return {
    order: (i) => `order ${100 + i} placed for zone ${ZONES[i % 3]} of ${own}`, refused: (i) => `payment refused with code ${500 + i} in ${own}`,
    started: () => `server started ${own}`, stopped: () => `backup finished ${own}`, request: (i) => `request ${100 + i} sent to zone-${i % 3} of ${own}`,
  };
}

/** Orders as before, four times the refusals, a start that is new, and a backup that is gone. */
async function shop(url, word) {
  const { before, now, search } = hours();
  const { order, refused, started, stopped } = statements(word);
  await ingest(url, [
    ...saying(word, before, 30, order), ...saying(word, before, 30, refused, "error"), ...saying(word, before, 5, stopped),
    ...saying(word, now, 30, order), ...saying(word, now, 120, refused, "error"), ...saying(`${word}-b`, now, 8, started),
  ]);
  return `/patterns?q=${encodeURIComponent(`service.name:${word}*`)}&${search}`;
}

async function counts({ pages, url, token }) {
  const page = await pages.visit(await shop(url, `${token}ztc`));
  await listed(page, 4);
  const texts = await table(page).locator(".template").allInnerTexts();
  equal(texts.map((text) => text.split(" ")[0]), ["payment", "order", "order", "server"], "templates, the most frequent first");
  await page.getByText("4 templates of 158 records").waitFor();
  await row(page, "payment refused").locator(".fill-error").waitFor();
  await row(page, "payment refused").getByText("4 times more").waitFor();
  await row(page, "server started").getByText("new").waitFor();
  await row(page, "payment refused").locator(".varies", { hasText: "num" }).waitFor();
}

async function newAndGone({ pages, url, token }) {
  const word = `${token}ztn`;
  const page = await pages.visit(await shop(url, word));
  await tab(page, "New 1").waitFor();
  await page.keyboard.press("n");
  await listed(page, 1);
  await row(page, "server started").waitFor();
  equal(param(page, "show"), "new", "what is shown, in the address");
  await tab(page, "Gone 1").click();
  await row(page, "backup finished").getByText("gone, 5 before").waitFor();
  await row(page, "backup finished").click();
  await panel(page).getByRole("link", { name: "Show its logs" }).click();
  await rowCount(page, 5);
  await page.goBack();
  await tab(page, "Gone 1").waitFor();
  await page.goto(`${url}/patterns?q=${encodeURIComponent(`service.name:${word}-b`)}&show=gone&${hours().search}`);
  await page.getByText(/^Nothing is gone/).waitFor();
  await page.getByRole("button", { name: "Show all" }).click();
  await listed(page, 1);
  await page.getByText(/^Nothing came in the 1 h before/).waitFor();
}

async function details({ pages, url, token }) {
  const word = `${token}ztd`;
  const { now, search } = hours();
  await ingest(url, saying(word, now, 30, statements(word).request));
  const page = await pages.visit(`/patterns?q=service.name:${word}&${search}`);
  await row(page, "request").click();
  await panel(page).getByText("30 of 30 records").waitFor();
  await panel(page).locator(".histogram rect[class^=fill]").first().waitFor();
  const variable = panel(page).locator(".variable");
  await variable.first().waitFor();
  equal((await variable.count()) >= 1, true, "what varies");
  const value = variable.first().getByRole("link").first();
  const shown = (await value.locator("bdi").innerText()).trim();
  await value.click();
  await rowCount(page, 1);
  await page.locator(".log-row").getByText(`request ${shown} sent`).waitFor();
  equal(param(page, "q"), `service.name:${word} and "${shown}"`, "the query");
  await page.goBack();
  await panel(page).getByRole("link", { name: "Open the record" }).click();
  await page.locator(".panel .message").getByText("request").first().waitFor();
  await page.goBack();
  await panel(page).getByRole("button", { name: "info" }).click();
  await asked(page, "q", `service.name:${word} and severity:info`);
  await panel(page).getByText("30 of 30 records").waitFor();
}

async function narrowsLogs({ pages, url, token }) {
  const word = `${token}ztl`;
  const hostile = `<b>mark</b> ${lettersOf(word)} & "quoted" + more % of <num> \\ #x?y=z \u202e <i>😀</i>`;
  await ingest(url, [
    ...Array.from({ length: 3 }, () => ({ "service.name": word, message: hostile })), ...Array.from({ length: 4 }, () => ({ "service.name": word, message: `something else ${lettersOf(word)}` })),
  ]);
  const page = await pages.visit(`/patterns?q=service.name:${word}`);
  await listed(page, 2);
  await row(page, "mark").click();
  await panel(page).getByRole("link", { name: "Show its logs" }).click();
  await rowCount(page, 3);
  const chip = page.getByRole("region", { name: "One template" });
  await chip.getByText("mark").first().waitFor();
  await chip.getByText("\\u202e").waitFor();
  await chip.getByText(/^No live tail/).waitFor();
  equal(await page.locator("[data-tail]").getAttribute("data-tail"), "off", "the tail");
  await page.locator('.facet[data-field="service.name"]').getByText(word).waitFor();
  const other = await pages.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await rowCount(other, 3);
  await page.keyboard.press("t");
  await chip.getByRole("link", { name: "Details of the template" }).click();
  await panel(page).getByText("3 of 7 records").waitFor();
  await page.goBack();
  await chip.getByRole("button", { name: "Show all records again" }).click();
  await rowCount(page, 7);
  await live(page);
  equal(param(page, "template"), null, "the template in the address");
}

async function selectsByText({ pages, url, token }) {
  const word = `${token}ztt`;
  const { started } = statements(word);
  await ingest(url, [...saying(word, Date.now() - 60_000, 3, () => "100% + done & <over>"), ...saying(word, Date.now() - 60_000, 2, started)]);
  const page = await pages.visit(`/logs?q=service.name:${word}&template=${encodeURIComponent(started())}`);
  await rowCount(page, 2);
  await page.getByRole("region", { name: "One template" }).getByText("server started").waitFor();
  await page.goto(`${url}/logs?q=service.name:${word}&template=${encodeURIComponent("nobody has said this")}`);
  await page.getByText("No records of this template here").waitFor();
  await page.locator(".state-card").getByRole("button", { name: "Show all records again" }).click();
  await rowCount(page, 5);
}

async function filters({ pages, url, token }) {
  const word = `${token}ztf`;
  const page = await pages.visit(await shop(url, word));
  await listed(page, 4);
  await page.getByRole("searchbox", { name: "Find in the templates" }).fill("REFUSED");
  await listed(page, 1);
  equal(param(page, "find"), "REFUSED", "what is looked for, in the address");
  await page.getByRole("searchbox", { name: "Find in the templates" }).fill("no such text");
  await page.getByRole("button", { name: "Show all of them" }).click();
  await listed(page, 4);
  await page.getByRole("combobox", { name: "Service" }).selectOption({ label: `${word}-b` });
  await listed(page, 1);
  await row(page, "server started").waitFor();
  equal(param(page, "q"), `service.name:${word}* and service.name:${word}-b`, "the query");
  await page.getByRole("combobox", { name: "Service" }).selectOption({ label: "All services" });
  await listed(page, 4);
  await page.goBack();
  await listed(page, 1);
}

async function likeThis({ pages, url, token }) {
  const word = `${token}ztr`;
  const [at, own] = [Date.now() - 60_000, lettersOf(word)];
  // Two of each come at the same moment, so the moment alone does not tell them apart.
  await ingest(url, [...saying(word, at, 6, (i) => `order ${i} placed for ${own}`), ...saying(word, at, 4, (i) => `payment ${i} refused by ${own}`)]);
  const page = await pages.visit(`/logs?q=service.name:${word}`);
  await rowCount(page, 10);
  for (const [text, count] of [["payment 2 refused", 4], ["order 2 placed", 6]]) {
    await page.goto(`${url}/logs?q=service.name:${word}`);
    await page.locator(".log-row").getByText(text).click();
    await page.getByRole("button", { name: "Logs like this one" }).click();
    await page.getByRole("region", { name: "One template" }).waitFor();
    equal(param(page, "q"), null, "the query");
    await page.locator("#search").fill(`service.name:${word}`);
    await page.locator("#search").press("Enter");
    await rowCount(page, count);
  }
}

async function byKeyboard({ pages, url, token }) {
  const word = `${token}ztk`;
  const address = await shop(url, word);
  const page = await pages.visit(address.replace("/patterns", "/logs"));
  await rows(page).first().waitFor();
  await page.keyboard.press("6");
  await listed(page, 4);
  equal([new URL(page.url()).pathname, param(page, "q")], ["/patterns", `service.name:${word}*`], "the patterns, of the same search");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await panel(page).getByText("120 of 158 records").waitFor();
  await page.keyboard.press("j");
  await panel(page).getByText("of 158 records").waitFor();
  await page.waitForFunction(() => !document.querySelector(".panel")?.textContent.includes("120 of 158"));
  await page.keyboard.press("Escape");
  await panel(page).waitFor({ state: "detached" });
  for (const [key, sort, first] of [["d", "change", "server"], ["d", "change.turned", null], ["f", "first", null], ["c", null, "payment"]]) {
    await page.keyboard.press(key);
    await asked(page, "sort", sort);
    if (first) await table(page).first().getByText(first).waitFor();
  }
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).getByText("only what is new, or all").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("2");
  await rowCount(page, 158);
  equal(param(page, "q"), `service.name:${word}*`, "the search, back at the logs");
}

async function inert({ pages, url, token }) {
  const word = `${token}zti`;
  await ingest(url, Array.from({ length: 3 }, () => ({ "service.name": `${word}<b>\u202e`, message: "<img src=x onerror=\"document.title='owned'\"><script>alert(document)</script> \u202eback\u0007" })));
  const page = await pages.visit(`/patterns?q=service.name:${word}*`);
  await row(page, "<img").click();
  await panel(page).getByText("3 of 3 records").waitFor();
  await panel(page).getByText("\\u202e").first().waitFor();
  await panel(page).locator(".section-head").getByText("Example").waitFor();
  equal(await page.locator("#root :is(img, script, b, i)").count(), 0, "elements made from data");
  equal(await page.title(), "Patterns – Logkeep", "the title");
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 1440, "width of the page");
}

async function saysNothing({ pages, url, token }) {
  pages.allow("400");
  const page = await pages.visit("/patterns?from=2001-01-01T00:00:00Z&to=2001-01-01T01:00:00Z");
  await page.getByText("No records in this range").waitFor();
  await page.goto(`${url}/patterns?q=service.name:${token}-nobody`);
  await page.getByText("No records match").waitFor();
  await page.getByRole("main").getByRole("button", { name: "Clear the search" }).click();
  await asked(page, "q", null);
  await page.locator("#search").fill("service.name:x and status>=");
  await page.locator(".search-fault").waitFor();
  await page.locator("#search").press("Enter");
  await page.getByText("The search could not be read").waitFor();
}

async function onPhone({ pages, url, token }) {
  const page = await pages.visit(await shop(url, `${token}ztp`), { ...PHONE, bypassCSP: true });
  await listed(page, 4);
  equal(await violations(page), [], "the table on a phone");
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);
  equal(await width(), 390, "width of the page");
  const own = row(page, "payment refused");
  for (const part of [own.locator(".template"), own.locator(".spark"), own.getByText("4 times more")]) {
    const box = await part.boundingBox();
    equal(box.x >= 0 && box.x + box.width <= 390, true, "it is within the page");
  }
  await own.tap();
  await panel(page).getByText("120 of 158 records").waitFor();
  equal(await width(), 390, "width with details");
  await panel(page).getByRole("link", { name: "Show its logs" }).tap();
  await rowCount(page, 120);
  equal(await width(), 390, "width of the logs");
}

async function accessible({ pages, url, token }) {
  const address = await shop(url, `${token}zta`);
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit(address, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await listed(page, 4);
    equal(await violations(page), [], `the table, ${colorScheme}`);
    await row(page, "payment refused").click();
    await panel(page).locator(".variable").first().waitFor();
    equal(await violations(page), [], `the details, ${colorScheme}`);
    await panel(page).getByRole("link", { name: "Show its logs" }).click();
    await rowCount(page, 120);
    equal(await violations(page), [], `the logs of one, ${colorScheme}`);
    await page.goto(`${url}/patterns?from=2001-01-01T00:00:00Z&to=2001-01-01T01:00:00Z`);
    await page.getByText("No records in this range").waitFor();
    equal(await violations(page), [], `nothing, ${colorScheme}`);
  }
}

async function forbidden({ pages, url }) {
  pages.allow("403");
  await put(url, { state: "forbidden" });
  const page = await pages.visit("/patterns");
  await page.getByText("You may not see this").waitFor();
}

async function overBudget({ pages, url }) {
  pages.allow("408");
  await put(url, { state: "broken" });
  const page = await pages.visit("/patterns");
  await page.getByText("The search reached its budget").waitFor();
  await put(url, { state: "ok" });
  await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
  await table(page).first().waitFor();
}

async function saysWhatIsMissing({ pages, url }) {
  await put(url, { state: "partial" });
  const page = await pages.visit("/patterns");
  await page.getByText("Not counted by template: 3 records whose message is no text. 1,204 records are of templates beyond").waitFor();
  await page.getByText("These are the 500 most frequent; 17 more are not listed.").waitFor();
}

async function waitsAndCancels({ pages, url }) {
  await put(url, { state: "slow" });
  const page = await pages.visit("/patterns");
  await page.getByText("Counting templates").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("The search was cancelled").waitFor();
  await put(url, { state: "ok" });
  await page.locator(".state-card").getByRole("button", { name: "Try again" }).click();
  await table(page).first().waitFor();
}

async function awayAndBack({ pages, url }) {
  pages.allow("ERR_", "Failed to load resource");
  const page = await pages.visit("/patterns");
  await table(page).first().waitFor();
  await put(url, { state: "down" });
  await page.keyboard.press("r");
  await page.getByText("The server does not answer").first().waitFor();
  await put(url, { state: "ok" });
  await table(page).first().waitFor();
}

/** Who may see one service has its templates alone, without ids: their text selects. */
async function ofSome({ pages, url, token }) {
  pages.allow("401");
  const word = `${token}part`;
  const { now, search } = hours();
  await ingest(url, [...saying(word, now, 5, (i) => `order ${i} placed & "paid" <100%`), ...saying(`${word}-other`, now, 7, statements(word).started)]);
  const alice = await people(pages);
  const made = await alice.request.post(`${url}/api/v1/users`, { data: { user: "eve", password: PASSWORD, roles: ["engineer"], scope: { services: [word] } } });
  equal(made.status(), 200, "adding eve");
  const page = await pages.visit(`/patterns?${search}`);
  await signInAsked(page);
  await say(page, "eve", PASSWORD);
  await listed(page, 1);
  await page.getByText("1 template of 5 records").waitFor();
  const text = await table(page).getAttribute("data-pattern");
  equal(text.startsWith("order <num> placed & "), true, "what it is asked for by");
  await row(page, "order").click();
  await panel(page).getByText("5 of 5 records").waitFor();
  await panel(page).locator(".variable").first().waitFor();
  await panel(page).getByRole("link", { name: "Show its logs" }).click();
  await rowCount(page, 5);
  equal(param(page, "template"), text, "the template in the address");
  await page.locator(".log-row").first().click();
  await page.getByRole("button", { name: "Show all records again" }).click();
  await page.locator(".log-row").first().click();
  await page.getByRole("button", { name: "Logs like this one" }).click();
  await asked(page, "template", text);
}

export const patternPeople = [["patterns: who sees a part has templates of that", ofSome]];

export const patternJourneys = [
  ["patterns: counts templates, with their trend and change", counts],
  ["patterns: shows what is new and what is gone", newAndGone],
  ["patterns: details say what varies, and lead to the logs of a value", details],
  ["patterns: narrow the list of logs, whatever is in the text", narrowsLogs],
  ["patterns: select by their text, which may be of nothing", selectsByText],
  ["patterns: are found by text and service", filters],
  ["patterns: of one record, also where others came with it", likeThis],
  ["patterns: by keyboard, with the search of the logs", byKeyboard],
  ["patterns: show hostile messages as text", inert],
  ["patterns: say why there is nothing", saysNothing],
  ["patterns: read on a phone", onPhone],
  ["patterns: break no accessibility rule, light and dark", accessible],
];

export const patternStates = [
  ["patterns: forbidden says so", forbidden],
  ["patterns: over budget says so and tries again", overBudget],
  ["patterns: say what is not counted", saysWhatIsMissing],
  ["patterns: say that they count, which can be cancelled", waitsAndCancels],
  ["patterns: server away and back", awayAndBack],
].map(([name, test]) => [name, healthy(test)]);
