/** The tour: asked for in the help, offered once where nothing was sent yet, and left as one likes. */
import { violations } from "./accessible.mjs";
import { equal, ingest, some } from "./harness.mjs";
import { healthy, put, shop } from "./traces.mjs";

const tour = (page) => page.getByRole("complementary", { name: "Tour" });
const place = (page, text) => tour(page).getByText(text, { exact: true }).waitFor();
const TITLES = ["What changed", "Your services", "One click narrows", "One record", "Search", "Patterns", "Traces", "Who calls whom", "Nothing is lost in silence"];

/** By keyboard, as all of it. */
async function asks(page) {
  await page.keyboard.press("?");
  await page.getByRole("button", { name: /Take the tour/ }).focus();
  await page.keyboard.press("Enter");
  await tour(page).waitFor();
}

async function walks({ pages, url, token }) {
  const word = `${token}tour`;
  await ingest(url, some(word, 40));
  await shop(url, word);
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit("/logs", { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await page.locator(".log-row").first().waitFor();
    await asks(page);
    for (const [at, title] of TITLES.entries()) {
      await tour(page).getByRole("heading", { name: title }).waitFor();
      await place(page, `${at + 1} of 9`);
      await page.locator("[data-tour]").waitFor();
      equal(await page.locator("[data-tour]").count(), 1, `what is pointed at: ${title}`);
      equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Tour", `what has the focus: ${title}`);
      if (at % 4 === 0) equal(await violations(page), [], `${title}, ${colorScheme}`);
      await page.keyboard.press("ArrowRight");
    }
    await tour(page).waitFor({ state: "detached" });
    equal(await page.locator("[data-tour]").count(), 0, "marks after the end");
  }
}

async function goesOn({ pages, url, token }) {
  await ingest(url, some(`${token}later`, 4));
  const page = await pages.visit("/logs");
  await page.locator(".log-row").first().waitFor();
  await asks(page);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await place(page, "2 of 9");
  await page.keyboard.press("Escape");
  await tour(page).waitFor({ state: "detached" });
  await page.goto(`${url}/logs`);
  await page.locator(".log-row").first().waitFor();
  equal(await tour(page).count(), 0, "tours that nobody asked for");
  await asks(page);
  await place(page, "2 of 9");
  await page.goto(`${url}/logs`);
  await place(page, "2 of 9");
  equal(new URL(page.url()).pathname, "/logs", "who comes back is not led away");
  await tour(page).getByRole("button", { name: "Go there" }).click();
  await page.locator(".overview-services[data-tour]").waitFor();
}

async function offersOnce({ pages, url }) {
  await put(url, { state: "empty" });
  const page = await pages.visit("/");
  await page.getByRole("button", { name: "Begin the tour" }).waitFor();
  await page.getByRole("button", { name: "Not now" }).click();
  await tour(page).waitFor({ state: "detached" });
  await page.reload();
  await page.getByText("Waiting for the first record").waitFor();
  equal(await tour(page).count(), 0, "offers after the first");
}

export const tourJourneys = [
  ["tour: by keyboard, points at each thing, and breaks no accessibility rule", walks],
  ["tour: is left and gone on with, and leads nobody away", goesOn],
];

export const tourStates = [["tour: is offered once where nothing was sent", offersOnce]].map(([name, test]) => [name, healthy(test)]);
