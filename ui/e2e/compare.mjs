/** Two parts of the records compared: a search against the rest, and a range against the time before. */
import { equal, ingest, param, rowCount } from "./harness.mjs";
import { violations } from "./accessible.mjs";

/** Of a search for `word`, every third call fails, and all that fail are of the new version. */
const calls = (word) => Array.from({ length: 120 }, (_, i) => ({
  severity: i % 3 ? "info" : "error", "service.name": `${word}-a`, message: `${word} call`, "test.version": i % 3 ? "<i>v1</i>" : "v2", "test.half": i % 2 ? "odd" : "even",
  ...(i % 3 ? {} : { "test.reason": "no bank" }),
}));

const field = (page, name) => page.locator(`.difference[data-field="${name}"]`);
const sides = (page) => page.locator(".differ-sides b").allInnerTexts();

async function fromLogs({ pages, url, token }) {
  const word = `${token}cmp`;
  await ingest(url, calls(word));
  const page = await pages.visit(`/logs?q=${word} and severity:error&tail=0`);
  await rowCount(page, 40);
  await page.getByRole("link", { name: "Compare with the time before" }).click();
  await page.locator("#compare-body .state-card, .difference").first().waitFor();
  equal([new URL(page.url()).pathname, param(page, "q")], ["/compare", `${word} and severity:error`], "where it leads");
  await page.getByRole("tab", { name: "With all other records" }).click();
  await field(page, "test.version").waitFor();
  equal(await field(page, "severity").count(), 0, "what is searched for differs by itself, and is not shown");
  await page.goBack();
  await page.waitForFunction(() => !location.search.includes("with="));
}

async function narrows({ pages, url, token }) {
  const word = `${token}cnar`;
  await ingest(url, calls(word));
  // The rest of a search for the one word, within what is of the other, is what the test has sent.
  const page = await pages.visit(`/compare?q=${word} and severity:error&with=rest`);
  const version = field(page, "test.version");
  await version.getByRole("button", { name: "v2", exact: true }).click();
  await page.waitForFunction((q) => new URLSearchParams(location.search).get("q") === q, `${word} and severity:error and test.version:v2`);
  await version.waitFor({ state: "detached" });
  await page.goBack();
  await version.getByRole("button", { name: "v2", exact: true }).waitFor();
  await field(page, "test.reason").getByRole("button", { name: "no bank", exact: true }).waitFor();
  equal((await sides(page))[0], "40", "records that are searched for");
  await page.getByRole("link", { name: "Show the logs" }).click();
  await rowCount(page, 40);
}

async function inertAndAccessible({ pages, url, token }) {
  const word = `${token}cax`;
  await ingest(url, calls(word));
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit(`/compare?q=${word} and severity:info&with=rest`, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await field(page, "test.version").getByText("<i>v1</i>").waitFor();
    equal(await violations(page), [], `differences, ${colorScheme}`);
  }
}

async function saysWhatIsMissing({ pages }) {
  const page = await pages.visit("/compare?with=rest");
  await page.getByText("Search for something first").waitFor();
  await page.getByRole("button", { name: "With the time before" }).click();
  await page.waitForFunction(() => !location.search.includes("with="));
  await page.locator("#compare-body .differ-sides").waitFor();
  await page.keyboard.press("w");
  await page.getByText("Search for something first").waitFor();
}

async function nothingFound({ pages, token }) {
  const page = await pages.visit(`/compare?q=${token}nowhere`);
  await page.getByText("Nothing to compare").waitFor();
  await page.getByText("No record of this range is found.").waitFor();
}

export const compareJourneys = [
  ["compare: leads from the list of logs, against the time before and the rest", fromLogs],
  ["compare: a value narrows the search, and back undoes it", narrows],
  ["compare: values are inert, and no accessibility rule is broken", inertAndAccessible],
  ["compare: says that a rest needs a search", saysWhatIsMissing],
  ["compare: says that nothing is found", nothingFound],
];
