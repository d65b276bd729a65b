/** The first page: services and what changed, and the ways from there. */
import { violations } from "./accessible.mjs";
import { equal, ingest, param, rowCount, some } from "./harness.mjs";
import { healthy, put, shop } from "./traces.mjs";

const service = (page, name) => page.locator(`.overview-service[data-service="${name}"]`);
const change = (page, kind) => page.locator(`.change[data-change="${kind}"]`);
/** Enough records that a test's own services are among those that are shown, and no more than fit. */
const many = (word) => some(word, 40);

async function opensFirst({ pages, url, token }) {
  const word = `${token}first`;
  const page = await pages.visit();
  await page.locator('.overview, .state-never').first().waitFor();
  equal(await page.locator('nav [aria-current="page"]').innerText(), "Overview", "the page that is open");
  await ingest(url, many(word));
  const [began, own] = [Date.now(), service(page, `${word}-a`)];
  await own.waitFor({ timeout: 15_000 });
  equal(Date.now() - began < 15_000, true, "the name is there within 15 s, by itself");
  await own.getByText("20 records").waitFor();
  await own.getByRole("img", { name: /^20 records in .*, 0 errors/ }).waitFor();
  await service(page, `${word}-b`).getByText("50.0 %").waitFor();
  equal([new URL(page.url()).pathname, new URL(page.url()).search], ["/", ""], "the address of a fresh page");
}

async function leads({ pages, url, token }) {
  const word = `${token}go`;
  await ingest(url, many(word));
  await shop(url, word);
  const page = await pages.visit("/overview?from=-1h");
  const own = service(page, `${word}-b`);
  await own.getByRole("link", { name: `Logs of ${word}-b` }).click();
  await rowCount(page, 20);
  equal([new URL(page.url()).pathname, param(page, "q"), param(page, "from")], ["/logs", `service.name:${word}-b`, "-1h"], "the logs of the service");
  await page.goBack();
  await own.getByRole("link", { name: new RegExp(`${word} number`) }).click();
  await page.locator(".panel .message").getByText(`${word} number`).first().waitFor();
  await page.goBack();
  await service(page, `${word}-pay`).getByRole("link", { name: "Traces of" }).click();
  await page.locator(".trace-row").first().waitFor();
  equal(param(page, "service"), `${word}-pay`, "the traces of the service");
  await page.goBack();
  await service(page, `${word}-pay`).getByRole("link", { name: "Map of" }).click();
  await page.getByRole("button", { name: new RegExp(`^${word}-pay: `) }).waitFor();
  equal([param(page, "show"), param(page, "service")], ["map", `${word}-pay`], "the service on the map");
}

async function oldLinks({ pages, url, token }) {
  const word = `${token}old`;
  await ingest(url, some(word, 4));
  const page = await pages.visit(`/?q=${word}&from=-1h`);
  await rowCount(page, 4);
  equal([new URL(page.url()).pathname, param(page, "q"), param(page, "from")], ["/logs", word, "-1h"], "where an old link leads");
  const other = await pages.visit("/?from=-2h&tail=0");
  await other.locator("#search").waitFor();
  equal(new URL(other.url()).pathname, "/logs", "where an old link without a query leads");
}

async function byKeyboard({ pages, url, token }) {
  await ingest(url, some(`${token}keys`, 4));
  const page = await pages.visit("/logs?from=-1h");
  await page.locator("#search").waitFor();
  await page.keyboard.press("1");
  await page.locator('[data-auto="on"]').waitFor();
  equal([new URL(page.url()).pathname, param(page, "from")], ["/overview", "-1h"], "the overview, of the same range");
  await page.keyboard.press("p");
  await page.locator('[data-auto="off"]').waitFor();
  equal(param(page, "auto"), "0", "that it is paused, in the address");
  await page.keyboard.press("p");
  await page.locator('[data-auto="on"]').waitFor();
  await page.keyboard.press("[");
  await page.locator('[data-auto="off"]').waitFor();
  equal(param(page, "to")?.endsWith("Z"), true, "an older range is fixed");
  await page.keyboard.press("p");
  await page.locator('[data-auto="on"]').waitFor();
  equal(new URL(page.url()).pathname, "/", "the last 15 minutes again");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).getByText("pause, or go on").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("2");
  await page.locator("#search").waitFor();
}

async function inert({ pages, url, token }) {
  const word = `${token}<img src=x onerror="document.title='owned'">\u202e`;
  await ingest(url, Array.from({ length: 60 }, () => ({ severity: "error", "service.name": word, message: "<script>alert(1)</script>" })));
  const page = await pages.visit("/");
  await page.getByRole("link", { name: token }).first().waitFor();
  await page.getByText("\\u202e").first().waitFor();
  equal(await page.locator("#root :is(img, script, b, i)").count(), 0, "elements made from data");
  equal(await page.title(), "Overview – Logkeep", "the title");
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 1440, "width of the page");
}

async function onPhone({ pages, url, token }) {
  const word = `${token}palm`;
  await ingest(url, many(word));
  const page = await pages.visit("/", { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  const own = service(page, `${word}-b`);
  await own.waitFor();
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, "width of the page");
  for (const part of [own.locator("h3"), own.locator(".spark"), own.getByRole("link", { name: "Map of" })]) {
    const box = await part.boundingBox();
    equal(box.x >= 0 && box.x + box.width <= 390, true, "it is within the page");
  }
  await own.getByRole("link", { name: "Logs of" }).tap();
  await rowCount(page, 20);
}

async function accessible({ pages, url, token }) {
  await ingest(url, many(`${token}even`));
  await shop(url, `${token}even`);
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit("/", { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await page.locator(".overview-service").first().waitFor();
    equal(await violations(page), [], `the overview, ${colorScheme}`);
    await page.goto(`${url}/overview?from=2001-01-01T00:00:00Z&to=2001-01-01T01:00:00Z`);
    await page.getByText("Nothing came in this range").waitFor();
    equal(await violations(page), [], `nothing, ${colorScheme}`);
  }
}

async function showsChanges({ pages }) {
  const page = await pages.visit("/overview?from=-1h", { bypassCSP: true });
  await change(page, "errors").getByText("37.9 % of requests fail, 1.2 % before (220 of 580, then 7 of 566)").waitFor();
  await change(page, "silent").getByText("Silent for 3 min, in which about 152 records and requests should have come").waitFor();
  await change(page, "latency").first().getByText("1.70 s, 210 ms before: 8.1 times as slow").waitFor();
  await change(page, "volume").nth(1).getByText("Only 4 % as many requests: 0.4/s, 10/s before").waitFor();
  await change(page, "new").getByText(/^New: first seen at .*, 412 times since$/).waitFor();
  await change(page, "pattern").getByText(/^New message since .*: “payment <id> refused by <var>: <...>”, 31 times, all of them errors$/).waitFor();
  equal(await page.locator(".change").count(), 8, "changes, but none of a kind that is not known");
  equal(await violations(page), [], "the changes");
  await change(page, "errors").getByRole("link", { name: /^Traces of/ }).click();
  await page.waitForFunction(() => new URLSearchParams(location.search).get("errors") === "1");
  await page.goBack();
  await change(page, "pattern").getByRole("link", { name: /^Logs of/ }).click();
  await page.waitForFunction(() => new URLSearchParams(location.search).get("template")?.startsWith("payment <id>"));
  await page.goBack();
  await change(page, "latency").first().getByRole("link", { name: /^Traces of/ }).click();
  await page.waitForFunction(() => new URLSearchParams(location.search).get("least") === "211ms");
  await page.goBack();
  await change(page, "silent").getByRole("link", { name: "Logs of billing-export" }).click();
  await page.waitForFunction(() => new URLSearchParams(location.search).get("to")?.endsWith("Z"));
}

async function forbidden({ pages, url }) {
  pages.allow("403");
  await put(url, { state: "forbidden" });
  const page = await pages.visit("/");
  await page.getByText("You may not see this").waitFor();
}

async function saysWhatIsMissing({ pages, url }) {
  await put(url, { state: "partial" });
  const page = await pages.visit("/");
  await page.getByText("Only records of logs are counted here: the query took longer than its 30 s").waitFor();
  await page.locator(".overview-service").first().waitFor();
}

async function waits({ pages, url }) {
  await put(url, { state: "slow" });
  const page = await pages.visit("/");
  await page.getByText("Looking at all services").waitFor();
  await put(url, { state: "ok" });
  await page.locator(".overview-service").first().waitFor();
}

async function awayAndBack({ pages, url }) {
  pages.allow("ERR_", "Failed to load resource");
  const page = await pages.visit("/");
  await page.locator(".overview-service").first().waitFor();
  await put(url, { state: "down" });
  await page.keyboard.press("r");
  await page.getByText("The server does not answer").first().waitFor();
  await put(url, { state: "ok" });
  await page.locator(".overview-service").first().waitFor();
}

export const overviewJourneys = [
  ["overview: is what one sees first, with names as they come", opensFirst],
  ["overview: leads to logs, traces, the map and the newest error in one click", leads],
  ["overview: old links lead to the list of logs", oldLinks],
  ["overview: by keyboard, paused and on again", byKeyboard],
  ["overview: shows hostile names as text", inert],
  ["overview: reads on a phone", onPhone],
  ["overview: breaks no accessibility rule, light and dark", accessible],
];

export const overviewStates = [
  ["overview: says what changed, and leads there", showsChanges],
  ["overview: forbidden says so", forbidden],
  ["overview: says what could not be counted", saysWhatIsMissing],
  ["overview: says that it looks", waits],
  ["overview: server away and back", awayAndBack],
].map(([name, test]) => [name, healthy(test)]);
