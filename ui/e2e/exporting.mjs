/** Files of what is searched for: chosen, seen to come, saved, refused, cut short and cancelled. */
import { readFile } from "node:fs/promises";
import { assert, equal, ingest, rowCount, some } from "./harness.mjs";
import { violations } from "./accessible.mjs";
import { put } from "./traces.mjs";

const dialog = (page) => page.locator("dialog.export");

async function open(page) {
  await page.keyboard.press("e");
  await dialog(page).getByRole("button", { name: "Export", exact: true }).waitFor();
}

/** Exports with what is chosen, and gives what was saved. */
async function exported(page) {
  const [download] = await Promise.all([page.waitForEvent("download"), dialog(page).getByRole("button", { name: "Export", exact: true }).click()]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
}

async function saves({ pages, url, token }) {
  const word = `${token}file`;
  await ingest(url, some(word, 40));
  const page = await pages.visit(`/logs?q=${word}&from=-1h&tail=0&col=test.parity`);
  await rowCount(page, 40);
  await open(page);
  equal(await violations(page), [], "the form");
  await dialog(page).getByText("40 records of the range on screen").waitFor();
  const table = await exported(page);
  assert(/^logs-\d{8}T\d{6}Z\.csv$/.test(table.name), `what the file is called: ${table.name}`);
  equal([table.text.split("\r\n").length, table.text.split(",")[0]], [42, "id"], "a header and a line for each");
  await dialog(page).getByText("40 records,").waitFor();
  await dialog(page).getByRole("button", { name: "Export something else" }).click();
  await dialog(page).getByRole("combobox", { name: "Format" }).selectOption("ndjson");
  await dialog(page).getByRole("spinbutton").fill("7");
  const lines = (await exported(page)).text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  equal(lines.length, 7, "as many as were asked for");
  assert(lines.every((record) => record.body.includes(word)), "they are those that were searched for");
  await dialog(page).getByRole("button", { name: "Export something else" }).click();
  await dialog(page).getByRole("checkbox").check();
  equal((await exported(page)).text.split("\r\n")[0], "id,time,severity,service,body,trace_id,span_id,test.parity", "the columns on screen");
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  await page.locator(".export-button").click();
  await open(page);
}

async function hasNothing({ pages, token }) {
  const page = await pages.visit(`/logs?q=${token}nothing&from=-1h&tail=0`);
  await page.locator(".export-button").click();
  await dialog(page).getByText("There is nothing to export.").waitFor();
  assert(await dialog(page).getByRole("button", { name: "Export", exact: true }).isDisabled(), "nothing can be exported");
}

async function isRefused({ pages, url }) {
  const page = await pages.visit("/logs?from=-1h&tail=0");
  await page.locator(".log-row").first().waitFor();
  await put(url, { state: "export_over" });
  await open(page);
  pages.allow("403");
  await dialog(page).getByRole("button", { name: "Export", exact: true }).click();
  await dialog(page).getByRole("alert").getByText("one may have 1000").waitFor();
  await put(url, { state: "ok" });
  await dialog(page).getByRole("button", { name: "Change it" }).click();
  assert((await exported(page)).text.length > 0, "it can be tried again");
}

async function isCutShort({ pages, url }) {
  const page = await pages.visit("/logs?from=-1h&tail=0");
  await page.locator(".log-row").first().waitFor();
  await put(url, { state: "export_cut" });
  pages.allow("ERR_");
  let saved = 0;
  page.on("download", () => { saved += 1; });
  await open(page);
  await dialog(page).getByRole("button", { name: "Export", exact: true }).click();
  await dialog(page).getByRole("alert").getByText("nothing was saved").waitFor();
  equal(saved, 0, "files that are saved");
  await put(url, { state: "ok" });
}

async function isCancelled({ pages, url }) {
  const page = await pages.visit("/logs?from=-1h&tail=0");
  await page.locator(".log-row").first().waitFor();
  await put(url, { state: "slow" });
  await open(page);
  await dialog(page).getByRole("button", { name: "Export", exact: true }).click();
  await dialog(page).getByRole("button", { name: "Cancel" }).click();
  await dialog(page).getByText("Nothing was saved").waitFor();
  await put(url, { state: "ok" });
}

export const exportJourneys = [
  ["export: what is searched for, as a file", saves],
  ["export: nothing is nothing", hasNothing],
];

export const exportStates = [
  ["export: more than one may read out says so", isRefused],
  ["export: cut short is not saved", isCutShort],
  ["export: can be cancelled", isCancelled],
];
