/** The first minutes of a newcomer without a mouse: at each step it is seen what has the focus, and nothing keeps it. */
import { assert, equal, ingest, param, rowCount, some } from "./harness.mjs";
import { shop } from "./traces.mjs";

const MOST_TABS = 400;

/** What has the focus, and what is wrong with how that is seen. */
function focused(page) {
  return page.evaluate(() => {
    const at = document.activeElement;
    if (at === null || at === document.body) return { name: "", fault: null };
    const name = `${at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent ?? ""}`.trim().replace(/\s+/g, " ");
    const box = at.getBoundingClientRect();
    // What one presses to look at may come into view a frame later.
    const within = box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    const isRinged = (element) => {
      const { outlineStyle, outlineWidth, boxShadow, stroke, strokeWidth } = getComputedStyle(element);
      const isDrawn = element instanceof SVGElement && stroke !== "none" && parseFloat(strokeWidth) >= 2;
      return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none" || isDrawn;
    };
    // A field in a frame is marked by its frame.
    const ringed = isRinged(at) || (at.matches("input") && at.parentElement.closest(".search, label, .field") !== null && isRinged(at.closest(".search, label, .field")));
    return { name, tag: at.tagName, fault: within && ringed ? null : `${at.tagName}.${at.getAttribute("class")} "${name.slice(0, 60)}" at ${Math.round(box.left)} ${Math.round(box.top)}, ${location.pathname}: ${within ? "no ring" : "outside of the screen"}` };
  });
}

/** Tab until what is wanted has the focus. */
async function tabTo(page, wanted, key = "Tab") {
  for (let presses = 0; presses < MOST_TABS; presses++) {
    await page.keyboard.press(key);
    const { name, fault } = await focused(page);
    assert(fault === null, `the focus is not seen: ${fault}`);
    if (wanted.test(name)) return;
  }
  assert(false, `${MOST_TABS} times ${key} do not lead to ${wanted}`);
}

/** Tab leads through everything and out at the end, where the browser takes over. */
async function leaves(page) {
  await page.evaluate(() => document.activeElement?.blur());
  for (let presses = 0; presses < MOST_TABS; presses++) {
    await page.keyboard.press("Tab");
    const { name, tag, fault } = await focused(page);
    assert(fault === null, `the focus is not seen: ${fault}`);
    if (presses > 0 && tag === undefined) return;
    if (presses > 0 && name === "To the content") return;
  }
  assert(false, `after ${MOST_TABS} times Tab one is still within the page`);
}

async function newcomer({ pages, url, token }) {
  const word = `${token}hands`;
  const { trace } = await shop(url, word);
  await ingest(url, some(word, 40));
  const page = await pages.visit("/", { permissions: ["clipboard-read", "clipboard-write"], reducedMotion: "reduce" });
  await page.locator(`.overview-service[data-service="${word}-pay"]`).waitFor();

  await tabTo(page, new RegExp(`^Logs of ${word}-pay$`));
  await page.keyboard.press("Enter");
  await rowCount(page, 1);
  equal(param(page, "q"), `service.name:${word}-pay`, "the logs of one's own service");
  await page.locator('.facet[data-field="severity"]').waitFor();
  await tabTo(page, /^Only error/);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("q")?.includes("severity:error"));
  await rowCount(page, 1);

  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await tabTo(page, /^Records|^Log/);
  await page.keyboard.press("Enter");
  await page.locator(".panel .field").first().waitFor();
  await tabTo(page, /^Copy link/);
  await page.keyboard.press("Enter");
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await tabTo(page, /^Open the trace/);
  await page.keyboard.press("Enter");
  await page.waitForFunction((id) => location.pathname === `/traces/${id}`, trace);
  await page.locator(".waterfall .line").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator(".panel").waitFor();
  await page.keyboard.press("Escape");

  await page.keyboard.press("2");
  await page.locator("#search").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type(word);
  await page.keyboard.press("Enter");
  await rowCount(page, 41);
  equal(param(page, "q"), word, "the word that is searched");

  const other = await pages.visit(link.slice(url.length));
  await other.locator(".panel .message").getByText(`${word} the card was refused`).first().waitFor();
}

const VIEWS = [["/", ".overview"], ["/logs?tail=0", ".log-row"], ["/patterns", ".patterns-table"], ["/traces", ".trace-row"], ["/services", "tr[data-service]"], ["/services?show=map", ".node"], ["/sources", "tr[data-source]"]];

async function nothingTraps({ pages, url, token }) {
  await shop(url, `${token}out`);
  for (const [path, there] of VIEWS) {
    const page = await pages.visit(path, { reducedMotion: "reduce" });
    await page.locator(there).first().waitFor();
    await leaves(page);
    await page.close();
  }
}

export const keyboardJourneys = [
  ["keyboard: own services, errors, a log, its trace, a word and a link, without a mouse", newcomer],
  ["keyboard: leads through every view and out of it", nothingTraps],
];
