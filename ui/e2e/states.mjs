/** States that a healthy server does not get into; the mock is put into them. The last test empties it. */
import { violations } from "./accessible.mjs";
import { equal, live, rows } from "./harness.mjs";

const put = (url, change) => fetch(`${url}/__mock`, { method: "POST", body: JSON.stringify(change) });

async function slowAndCancel({ pages, url }) {
  const page = await pages.visit("/logs");
  await live(page);
  await put(url, { state: "slow" });
  try {
    await page.keyboard.press("-");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("The search was cancelled").waitFor();
  } finally {
    await put(url, { state: "ok" });
  }
  await page.locator(".state-card").getByRole("button", { name: "Try again" }).click();
  await rows(page).first().waitFor();
}

async function overBudget({ pages, url }) {
  pages.allow("408");
  await put(url, { state: "broken" });
  const page = await pages.visit("/logs");
  await page.getByText("The search reached its budget").waitFor();
  await put(url, { state: "ok" });
  await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
  await rows(page).first().waitFor();
}

async function awayAndBack({ pages, url }) {
  pages.allow("ERR_", "Failed to load resource");
  const page = await pages.visit("/logs");
  await live(page);
  const before = await rows(page).count();
  await put(url, { state: "down" });
  await page.getByText("The server does not answer").waitFor();
  equal((await rows(page).count()) >= Math.min(before, 5), true, "rows stay while the server is away");
  await put(url, { state: "ok" });
  await page.getByText("The server does not answer").waitFor({ state: "detached" });
  await live(page);
}

async function pagesToEnd({ pages, url }) {
  await put(url, { rate: 0 });
  const page = await pages.visit("/logs?from=-2h&tail=0");
  await rows(page).first().waitFor();
  // Down to the very end: every page is fetched, and only what is on screen is in the document.
  await page.waitForFunction(() => {
    const scroller = document.querySelector(".scroller");
    scroller.scrollTop = scroller.scrollHeight;
    return scroller.textContent.includes("No more records in this range");
  }, null, { polling: 50, timeout: 60_000 });
  equal((await rows(page).count()) < 200, true, "rows in the document stay few");
  const total = page.locator(".footer-main[data-total]");
  await total.waitFor();
  equal(await page.locator(".scroller").getAttribute("data-rows"), await total.getAttribute("data-total"), "rows fetched");
}

async function neverSent({ pages, url }) {
  await put(url, { state: "empty" });
  const page = await pages.visit("/logs");
  const overview = await pages.visit("/", { bypassCSP: true, reducedMotion: "reduce" });
  const sources = await pages.visit("/sources", { bypassCSP: true, reducedMotion: "reduce" });
  await sources.getByText("Nothing has been sent yet").waitFor();
  await sources.getByLabel("OpenTelemetry SDK", { exact: true }).getByText("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317").waitFor();
  await sources.getByRole("row", { name: "otlp-grpc 127.0.0.1:4317" }).waitFor();
  equal(await violations(sources), [], "the first start, as sources");
  for (const one of [page, overview]) {
    await one.getByText("Waiting for the first record").waitFor();
    await one.getByText("/api/v1/ingest/ndjson").waitFor();
    await one.getByText("otlp-grpc").waitFor();
  }
  await overview.getByText("logkeep demo").waitFor();
  equal(await violations(overview), [], "the first start");
  await put(url, { state: "ok" });
  await overview.locator(".overview-service").first().waitFor();
  await rows(page).first().waitFor();
  await live(page);
  await sources.locator("tr[data-source]").first().waitFor();
}

/** A test that failed half-way leaves the mock as it was: the next one starts from a healthy server all the same. */
const healthy = (test) => async (given) => {
  await put(given.url, { state: "ok", rate: 8 });
  await test(given);
};

export const states = [
  ["slow: says so and can be cancelled", slowAndCancel],
  ["over budget: says so and tries again", overBudget],
  ["server away and back", awayAndBack],
  ["pages to the end of the range", pagesToEnd],
  ["nothing ever sent, then the first record", neverSent],
].map(([name, test]) => [name, healthy(test)]);
