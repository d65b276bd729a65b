/** The rules of axe over the screens that hold most of the console, in both themes. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { equal, ingest, rowCount, rows, search, some } from "./harness.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What is of before, and about to be replaced, is drawn pale on purpose; all other rules hold there, too. */
export async function violations(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    // What was pale as the rules began may be replaced before they end.
    const pale = new Set(document.querySelectorAll(".stale, .stale *"));
    const isPale = ({ target }) => {
      const element = target.length === 1 ? document.querySelector(target[0]) : null;
      return element !== null && (pale.has(element) || element.closest(".stale") !== null);
    };
    const { violations: found } = await window.axe.run(document, { resultTypes: ["violations"] });
    const counting = found.map(({ id, nodes }) => ({ id, nodes: id === "color-contrast" ? nodes.filter((node) => !isPale(node)) : nodes }));
    return counting.filter(({ nodes }) => nodes.length > 0).map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ")}`);
  });
}

export async function accessible({ pages, url, token }) {
  await ingest(url, some(`${token}axe`, 30));
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit(`/logs?q=${token}axe&col=test.parity`, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await rowCount(page, 30);
    await page.locator(".facet").first().waitFor();
    equal(await violations(page), [], `the list, ${colorScheme}`);
    await rows(page).nth(3).click();
    await page.locator(".panel .field").first().waitFor();
    equal(await violations(page), [], `the record, ${colorScheme}`);
    await page.getByRole("tab", { name: "Surrounding" }).click();
    await page.locator(".context-current").waitFor();
    equal(await violations(page), [], `surrounding lines, ${colorScheme}`);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "How to search" }).click();
    equal(await violations(page), [], `the help, ${colorScheme}`);
    await search(page, `${token}axe and service.name:none`);
    await page.locator(".culprit").first().waitFor();
    equal(await violations(page), [], `an empty list, ${colorScheme}`);
  }
}
