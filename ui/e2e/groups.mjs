/** Counts over time by the values of a field. */
import { equal, ingest, param, rowCount } from "./harness.mjs";
import { violations } from "./accessible.mjs";

/** Of 60 records 30 are of one shop, 20 of another, and 10 of none. */
const sales = (word) => Array.from({ length: 60 }, (_, i) => ({ severity: "info", "service.name": `${word}-s`, message: `${word} sale`, ...(i % 6 === 5 ? {} : { "test.shop": i % 6 < 3 ? "north" : "<b>south</b>" }) }));

const group = (page, name) => page.locator(".group").filter({ hasText: name });
const told = (page) => page.locator(".group").evaluateAll((all) => all.map((one) => `${one.querySelector("bdi").textContent} ${one.querySelector(".group-count").textContent}`));

async function byAField({ pages, url, token }) {
  const word = `${token}grp`;
  await ingest(url, sales(word));
  const page = await pages.visit(`/logs?q=${word}&tail=0`);
  await rowCount(page, 60);
  const facet = page.locator('.facet[data-field="test.shop"]');
  await facet.hover();
  await facet.getByRole("button", { name: "Count over time by this field" }).click();
  await page.locator(".group-pick").first().waitFor();
  equal(param(page, "by"), "test.shop", "address");
  equal(await told(page), ["north 30", "<b>south</b> 20", "without it 10"], "groups");
  equal(await page.locator(".histogram-plot svg rect.fill-group-0").count() > 0, true, "bars of the first group");

  await group(page, "north").getByRole("button", { name: /north/ }).first().click();
  await rowCount(page, 30);
  equal(param(page, "q"), `${word} and test.shop:north`, "narrowed");
  await page.goBack();
  await rowCount(page, 60);
  await group(page, "without it").locator(".group-pick").click();
  await rowCount(page, 10);
  await page.goBack();
  await rowCount(page, 60);
  await group(page, "north").hover();
  await group(page, "north").getByRole("button", { name: "Exclude north" }).click();
  await rowCount(page, 30);
  await page.locator(".groups").getByRole("button", { name: "Count by severity again" }).click();
  await page.locator(".groups").waitFor({ state: "detached" });
  equal(param(page, "by"), null, "the address is as before");
}

async function byKeyboardAndAccessible({ pages, url, token }) {
  const word = `${token}gax`;
  await ingest(url, sales(word));
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit(`/logs?q=${word}&tail=0&by=test.shop`, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await page.locator(".group-pick").first().waitFor();
    equal(await violations(page), [], `groups, ${colorScheme}`);
    await page.locator(".group-pick").first().focus();
    await page.keyboard.press("Enter");
    await rowCount(page, 30);
    equal(await page.locator('.group-pick[aria-pressed="true"]').count(), 1, "what is searched for is pressed");
  }
}

async function aLinkOpensTheSame({ pages, url, token }) {
  const word = `${token}glk`;
  await ingest(url, sales(word));
  const page = await pages.visit(`/logs?q=${word}&tail=0&by=nobody.has.this`);
  await rowCount(page, 60);
  await page.locator(".group").first().waitFor();
  equal(await told(page), ["without it 60"], "a field that nobody has");
}

export const groupJourneys = [
  ["logs are counted over time by a field", byAField],
  ["groups by keyboard, and accessible", byKeyboardAndAccessible],
  ["a link to counts by a field", aLinkOpensTheSame],
];
