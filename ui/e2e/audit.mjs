/** Reading the audit trail, by keyboard, after `people.mjs`. */
import { violations } from "./accessible.mjs";
import { button, field, form, press, type, visitAccount } from "./account.mjs";
import { assert, equal } from "./harness.mjs";

const rows = (page) => page.getByRole("region", { name: "Requests" }).locator("tbody > tr");
const cells = (page, place) => rows(page).locator(`:scope > :nth-child(${place})`).allInnerTexts();

async function show(page, filter) {
  const asked = page.waitForResponse((answer) => answer.url().includes("/api/v1/audit?"));
  await press(button(filter, "Show"));
  await asked;
}

async function readsTheTrail({ pages }) {
  pages.allow("401");
  const page = await visitAccount(pages);
  await press(page.getByRole("link", { name: "Audit trail" }));
  await page.getByRole("heading", { name: "Audit trail", exact: true }).waitFor();
  await rows(page).first().waitFor();
  equal(await violations(page), [], "the audit trail");

  const filter = form(page, "What to show");
  await type(page, field(filter, "Who"), "bob");
  await filter.getByRole("combobox", { name: "Decision" }).focus();
  await page.keyboard.type("denied");
  await show(page, filter);
  await page.waitForFunction(() => [...document.querySelectorAll("tbody > tr > :nth-child(5)")].every((cell) => cell.textContent === "deny"));
  const people = await cells(page, 2);
  assert(people.length > 0 && people.every((name) => name.includes("bob")), `only bob's: ${people}`);

  const first = rows(page).first().getByRole("button");
  await press(first);
  equal(await first.getAttribute("aria-expanded"), "true", "the details are open");
  await page.locator(".details").getByText("audit.access.denied").waitFor();
  equal(await violations(page), [], "a request's details");
  await press(first);
  await page.locator(".details").waitFor({ state: "detached" });
}

async function goesBackInTime({ pages, url }) {
  pages.allow("401");
  const page = await visitAccount(pages, { colorScheme: "dark" });
  await page.getByRole("link", { name: "Audit trail" }).waitFor();
  for (let asked = 0; asked < 105; asked++) equal((await page.request.get(`${url}/api/v1/status`)).status(), 200, "the status");
  await press(page.getByRole("link", { name: "Audit trail" }));
  const filter = form(page, "What to show");
  await filter.waitFor();
  await type(page, field(filter, "Action"), "status");
  await show(page, filter);
  await page.waitForFunction(() => document.querySelectorAll("tbody > tr").length === 100);
  equal([...new Set(await cells(page, 3))], ["status"], "only what was asked for");
  equal(await violations(page), [], "the audit trail, in the dark");
  await press(button(page, "Show older ones"));
  await page.waitForFunction(() => document.querySelectorAll("tbody > tr").length > 104);
  await type(page, field(filter, "Who"), "nobody-of-that-name");
  await show(page, filter);
  await page.getByText("There is nothing of that in this time.").waitFor();
}

export const auditJourneys = [
  ["audit: reading the trail", readsTheTrail],
  ["audit: going back in time", goesBackInTime],
];
