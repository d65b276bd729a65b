/** Views that are saved for everybody: kept, found, opened, renamed and deleted. */
import { assert, equal, ingest, param, rowCount, some } from "./harness.mjs";
import { violations } from "./accessible.mjs";

const view = (page, name) => page.locator(`dialog.views li[data-view="${name}"]`);

async function open(page) {
  await page.locator(".views-button").waitFor();
  await page.keyboard.press("v");
  await page.getByRole("searchbox", { name: "Find a view" }).waitFor();
}

async function save(page, name, description = "") {
  await page.getByRole("button", { name: "Save this view" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill(name);
  await page.getByRole("textbox", { name: "What it is for" }).fill(description);
  await page.getByRole("button", { name: "Save", exact: true }).click();
}

async function remove(page, name) {
  await view(page, name).getByRole("button", { name: "Change" }).click();
  const form = page.getByRole("form", { name: "Change" });
  await form.getByRole("button", { name: "Delete" }).click();
  await form.getByRole("button", { name: "Delete it for everybody?" }).click();
  await view(page, name).waitFor({ state: "detached" });
}

async function savesAndOpens({ pages, url, token }) {
  const [word, name] = [`${token}view`, `${token} <i>errors</i>`];
  await ingest(url, some(word, 8));
  const page = await pages.visit(`/logs?q=${word} and severity:error&from=-1h&tail=0&col=test.parity&width=${encodeURIComponent("90:test.parity")}`);
  await rowCount(page, 2);
  await page.locator(".log-row").first().click();
  await page.locator(".panel .field").first().waitFor();
  await open(page);
  await save(page, name, "what fails first");
  await view(page, name).getByText("what fails first").waitFor();
  const other = await pages.visit("/traces");
  await open(other);
  await other.getByRole("searchbox", { name: "Find a view" }).fill(`fails ${token}`);
  await view(other, name).getByRole("link").click();
  await rowCount(other, 2);
  equal([param(other, "q"), param(other, "from"), param(other, "col"), param(other, "width")], [`${word} and severity:error`, "-1h", "test.parity", "90:test.parity"], "the view");
  equal([param(other, "record"), await other.locator("dialog.views").count()], [null, 0], "what is open");
  await open(other);
  await remove(other, name);
}

async function changes({ pages, token }) {
  const [first, second] = [`${token} one`, `${token} two`];
  const page = await pages.visit(`/compare?q=${token}`);
  await open(page);
  await save(page, first);
  await view(page, first).waitFor();
  pages.allow("409", "400");
  await save(page, first);
  await page.getByRole("alert").getByText("exists already").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await view(page, first).getByRole("button", { name: "Change" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill(second);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await view(page, second).waitFor();
  equal(await view(page, first).count(), 0, "views by the old name");
  await page.keyboard.press("Escape");
  await page.locator("dialog.views").waitFor({ state: "detached" });
  const elsewhere = await pages.visit("/patterns?from=-1h");
  await open(elsewhere);
  await view(elsewhere, second).getByRole("button", { name: "Change" }).click();
  await elsewhere.getByRole("button", { name: "Save with what is on screen" }).click();
  await view(elsewhere, second).getByText("patterns", { exact: true }).waitFor();
  await remove(elsewhere, second);
}

async function keepsToItself({ pages, token }) {
  const page = await pages.visit(`/logs?q=${token}keep`);
  await open(page);
  await page.getByRole("button", { name: "Save this view" }).waitFor();
  await page.keyboard.press("3");
  await page.keyboard.press("o");
  assert(new URL(page.url()).pathname === "/logs" && param(page, "order") === null, "keys of the page do nothing below a dialog");
}

async function accessible({ pages }) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit("/logs?tail=0", { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await open(page);
    equal(await violations(page), [], `saved views, ${colorScheme}`);
    await page.getByRole("button", { name: "Save this view" }).click();
    equal(await violations(page), [], `saving one, ${colorScheme}`);
  }
}

export const viewJourneys = [
  ["saved: one is saved, found and opened elsewhere, without what was open", savesAndOpens],
  ["saved: one is renamed, put elsewhere and deleted, and no two are called the same", changes],
  ["saved: the dialog has the keyboard for itself", keepsToItself],
  ["saved: break no accessibility rule, light and dark", accessible],
];
