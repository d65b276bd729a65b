/** Statements of SQL: run when one says so, sorted, saved, and where an error is. */
import { readFileSync } from "node:fs";
import { assert, equal, ingest, param, some } from "./harness.mjs";
import { violations } from "./accessible.mjs";

const editor = (page) => page.getByRole("textbox", { name: "A statement of SQL" });
const cells = (page, column) => page.locator(`.sql-table td:nth-child(${column})`).allInnerTexts();
/** The editor asks for the names of columns by itself. */
const isOfUser = (request) => request.url().endsWith("/api/v1/sql") && !request.postData().includes("information_schema");
const address = (sql) => `/sql?sql=${encodeURIComponent(sql)}`;

async function runsWhenAsked({ pages, url, token }) {
  await ingest(url, some(`${token}sql`, 8));
  const statement = "select time, \"service.name\" from logs order by time limit 20";
  const page = await pages.visit(address(statement));
  const sent = [];
  page.on("request", (request) => { if (isOfUser(request)) sent.push(JSON.parse(request.postData()).sql); });
  await page.getByText("Not run yet").waitFor();
  equal([await editor(page).inputValue(), sent.length], [statement, 0], "a link is not run by itself");
  await editor(page).press("Control+Enter");
  await page.locator(".sql-table td").first().waitFor();
  equal(sent, [statement], "what is run");
  const up = await cells(page, 1);
  const head = page.getByRole("columnheader", { name: "time" });
  await head.getByRole("button").click();
  await head.getByRole("button").click();
  equal(await head.getAttribute("aria-sort"), "descending", "how it is sorted");
  const down = await cells(page, 1);
  assert(down.length > 1 && down.every((time, i) => i === 0 || time <= down[i - 1]), `times fall: ${down.slice(0, 3)}`);
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as CSV" }).click();
  const lines = readFileSync(await (await saving).path(), "utf8").split("\r\n");
  assert(lines.length > up.length && lines[1].startsWith(down[0]), `the file is what is on screen: ${lines.slice(0, 2)}`);
  equal(await violations(page), [], "rules of accessibility");
}

async function saysWhere({ pages }) {
  const page = await pages.visit("/sql");
  pages.allow("Failed to load resource");
  await editor(page).fill("select time,\n  nope\nfrom logs");
  await page.getByRole("button", { name: "Run (Ctrl+Enter)" }).click();
  await page.getByText("Line 2, column 3:").waitFor();
  equal(await page.locator(".sql-place mark").innerText(), "nope", "the word that is marked");
  equal(param(page, "sql"), "select time,\n  nope\nfrom logs", "the address");
}

async function insertsTheRange({ pages }) {
  const page = await pages.visit("/sql?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z");
  await editor(page).fill("select * from logs where ");
  await page.getByRole("button", { name: "Insert the range" }).click();
  const text = await editor(page).inputValue();
  assert(/where time >= '2026-01-01T00:00:00[.0]*Z' and time < '2026-01-02T00:00:00[.0]*Z'$/.test(text), text);
}

async function remembers({ pages, token }) {
  const page = await pages.visit("/sql");
  const statement = `select '${token}' as one from logs limit 1`;
  await editor(page).fill(statement);
  await editor(page).press("Control+Enter");
  await page.getByText("Run before in this browser (1)").waitFor();
  await page.goto(new URL("/sql", page.url()).href);
  await page.getByText("Run before in this browser (1)").click();
  await page.getByRole("button", { name: statement }).click();
  equal(await editor(page).inputValue(), statement, "what was run before");
  equal(await violations(page), [], "rules of accessibility");
  await page.getByRole("button", { name: "Forget them" }).click();
  await page.getByText("Run before in this browser").waitFor({ state: "detached" });
}

async function offersNames({ pages, url, token }) {
  await ingest(url, some(`${token}offers`, 3));
  const page = await pages.visit("/sql");
  const list = page.getByRole("listbox");
  await editor(page).focus();
  await page.keyboard.type("select service.n");
  await list.getByRole("option", { name: "service.name" }).waitFor();
  equal(await violations(page), [], "rules of accessibility");
  await page.keyboard.press("Tab");
  equal(await editor(page).inputValue(), 'select "service.name"', "what Tab takes");
  await page.keyboard.type(", coun");
  await list.getByRole("option", { name: "count function" }).waitFor();
  await page.keyboard.press("ArrowDown");
  equal(await page.locator(`[id="${await editor(page).getAttribute("aria-activedescendant")}"]`).getAttribute("aria-selected"), "true", "which one is told");
  await page.keyboard.press("Enter");
  await page.keyboard.type("*) from lo");
  await list.getByRole("option", { name: "logs" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.type(" grou");
  await list.waitFor();
  await page.keyboard.press("Escape");
  await list.waitFor({ state: "detached" });
  await page.keyboard.type("p by 1");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Enter");
  equal(await editor(page).inputValue(), 'select "service.name", count(*) from logs group by 1\n', "the statement");
  await page.keyboard.press("Control+Enter");
  await page.locator(".sql-table td").first().waitFor();
}

async function colours({ pages }) {
  const page = await pages.visit("/sql");
  pages.allow("Failed to load resource");
  const statement = "select 'a' as x, 12 -- why\nfrom nope";
  await editor(page).fill(statement);
  equal(await page.locator(".sql-colours").textContent(), `${statement}\n`, "what is behind the field");
  const has = async (kind) => (await page.locator(`.sql-colours .sql-${kind}`).allTextContents()).join(" ");
  equal([await has("keyword"), await has("string"), await has("number"), await has("comment")], ["select as from", "'a'", "12", "-- why"], "what has a colour");
  const places = await page.evaluate(() => [".sql-colours", ".sql-editor textarea"].map((selector) => {
    const { clientWidth, clientHeight } = document.querySelector(selector);
    return [clientWidth, clientHeight];
  }));
  equal(places[0], places[1], "one lies on the other");
  await editor(page).fill(`select time,\n nope from logs ${"-".repeat(100_000)}`);
  equal(await page.locator(".sql-colours").count(), 0, "a long one has no colours");
}

export const sqlJourneys = [
  ["sql: offers names and takes them by keys", offersNames],
  ["sql: has colours", colours],
  ["sql: runs when asked, sorts and saves", runsWhenAsked],
  ["sql: says where an error is", saysWhere],
  ["sql: inserts the range", insertsTheRange],
  ["sql: remembers what was run, and forgets it", remembers],
];
