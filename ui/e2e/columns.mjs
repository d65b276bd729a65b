/** Columns of the list of logs: chosen, moved, made wider and removed, with the mouse and with the keyboard. */
import { assert, equal, ingest, param, rowCount, some } from "./harness.mjs";

const columns = (page) => page.locator(".list-head [data-column]");
const column = (page, name) => page.locator(`.list-head [data-column="${name}"]`);
const edge = (page, name) => column(page, name).getByRole("separator");
const names = (page) => columns(page).evaluateAll((heads) => heads.map((head) => head.dataset.column));
const chosen = (page) => new URL(page.url()).searchParams.getAll("col");
const widths = (page) => new URL(page.url()).searchParams.getAll("width");
const widthOf = async (page, name) => Math.round((await column(page, name).boundingBox()).width);

/** Waits for the columns of the address, and looks whether the list has the same. */
async function inOrder(page, expected) {
  await page.waitForFunction((wanted) => new URLSearchParams(location.search).getAll("col").join() === wanted, expected.join());
  equal(await names(page), expected, "the columns of the list");
}

const numbered = (word, count) => some(word, count).map((record, i) => ({ ...record, "test.size": i * 1000, ...(i % 2 ? { "test.odd": `<b>${i}</b>` } : {}) }));

async function withColumns({ pages, url, token }, word, search = "") {
  await ingest(url, numbered(`${token}${word}`, 6));
  const page = await pages.visit(`/logs?q=${token}${word}&tail=0&col=test.size&col=test.odd&col=test.parity${search}`);
  await rowCount(page, 6);
  return page;
}

async function addsAndRemoves({ pages, url, token }) {
  await ingest(url, numbered(`${token}cols`, 6));
  const page = await pages.visit(`/logs?q=${token}cols&tail=0`);
  await rowCount(page, 6);
  equal(await names(page), [], "the columns of a fresh page");
  const facet = page.locator('.facet[data-field="test.size"]');
  await facet.hover();
  await facet.getByRole("button", { name: "Show as a column" }).click();
  await inOrder(page, ["test.size"]);
  await page.locator(".log-row").first().click();
  const field = page.locator('.panel .field[data-field="test.parity"]');
  await field.hover();
  await field.getByRole("button", { name: "Show test.parity as a column" }).click();
  await inOrder(page, ["test.size", "test.parity"]);
  await column(page, "test.size").hover();
  await column(page, "test.size").getByRole("button", { name: "Remove column test.size" }).click();
  await inOrder(page, ["test.parity"]);
  await column(page, "test.parity").getByRole("button", { name: "test.parity", exact: true }).press("Delete");
  await inOrder(page, []);
}

async function showsValues({ pages, url, token }) {
  const page = await withColumns({ pages, url, token }, "vals");
  const cell = (row, place) => page.locator(".log-row").nth(row).locator("[role=gridcell]").nth(place);
  const texts = await page.locator(".log-row").evaluateAll((all) => all.map((row) => row.children[4].textContent));
  equal(texts.filter((text) => text === "").length, 3, "rows without the field show nothing");
  equal(texts.filter((text) => /^<b>\d<\/b>$/.test(text)).length, 3, "values as they were sent");
  equal(await cell(0, 3).evaluate((element) => getComputedStyle(element).textAlign), "right", "numbers");
  equal(await column(page, "test.size").locator(".column-name").evaluate((element) => getComputedStyle(element).justifyContent), "flex-end", "the name above numbers");
}

async function showsPaths({ pages, url, token }) {
  const path = `/${token}/cart/items`;
  await ingest(url, [{ message: "", "service.name": `${token}access`, "http.request.method": "GET", "url.path": path, "http.response.status_code": 200 }]);
  const page = await pages.visit(`/logs?q=service.name:${token}access&tail=0`);
  await rowCount(page, 1);
  const { width } = await page.locator(".access").getByText(path).boundingBox();
  assert(width > 100, `the path is ${width} px wide`);
}

async function moves({ pages, url, token }) {
  const page = await withColumns({ pages, url, token }, "move");
  const [from, to] = [await column(page, "test.parity").boundingBox(), await column(page, "test.size").boundingBox()];
  await page.mouse.move(from.x + 20, from.y + 10);
  await page.mouse.down();
  await page.mouse.move(to.x + 30, to.y + 10, { steps: 4 });
  await page.locator(".drop-before").waitFor();
  await page.mouse.move(to.x + 5, to.y + 10);
  await page.mouse.up();
  await inOrder(page, ["test.parity", "test.size", "test.odd"]);
  const name = column(page, "test.parity").getByRole("button", { name: "test.parity", exact: true });
  await name.press("Shift+ArrowRight");
  await inOrder(page, ["test.size", "test.parity", "test.odd"]);
  await page.locator(".list-head [role=status]").getByText("test.parity is column 2 of 3").waitFor();
  await name.press("Shift+ArrowRight");
  await inOrder(page, ["test.size", "test.odd", "test.parity"]);
  equal(await name.evaluate((element) => element === document.activeElement), true, "the name that was moved keeps the focus");
}

async function givesUp({ pages, url, token }) {
  const page = await withColumns({ pages, url, token }, "esc");
  const from = await column(page, "test.parity").boundingBox();
  await page.mouse.move(from.x + 20, from.y + 10);
  await page.mouse.down();
  await page.mouse.move(from.x - 300, from.y + 10, { steps: 4 });
  await page.locator(".dragged").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".dragged").waitFor({ state: "detached" });
  await page.mouse.up();
  equal(chosen(page), ["test.size", "test.odd", "test.parity"], "the columns after Escape");
}

async function resizes({ pages, url, token }) {
  const page = await withColumns({ pages, url, token }, "wide");
  const before = await widthOf(page, "test.odd");
  const handle = await edge(page, "test.odd").boundingBox();
  await page.mouse.move(handle.x + 4, handle.y + 10);
  await page.mouse.down();
  await page.mouse.move(handle.x + 64, handle.y + 10, { steps: 5 });
  equal(widths(page), [], "the address while the mouse is down");
  await page.mouse.up();
  await page.waitForFunction(() => location.search.includes("width="));
  equal(widths(page), [`${before + 60}:test.odd`], "the width in the address");
  equal(await widthOf(page, "test.odd"), before + 60, "the width on screen");
  const cell = await page.locator(".log-row").first().locator("[role=gridcell]").nth(4).boundingBox();
  equal(Math.round(cell.x), Math.round((await column(page, "test.odd").boundingBox()).x), "where the column begins");
  const other = await pages.visit(`/logs${new URL(page.url()).search}`);
  await rowCount(other, 6);
  equal(await widthOf(other, "test.odd"), before + 60, "the width in a fresh browser");
  await edge(page, "test.odd").press("ArrowLeft");
  await page.waitForFunction((px) => location.search.includes(`width=${px}`), before + 44);
  await edge(page, "test.odd").press("Home");
  await page.waitForFunction(() => !location.search.includes("width="));
}

async function fits({ pages, url, token }) {
  const page = await withColumns({ pages, url, token }, "fit", `&width=${encodeURIComponent("500:test.parity")}`);
  equal(await widthOf(page, "test.parity"), 500, "the width of the address");
  await edge(page, "test.parity").dblclick();
  await page.waitForFunction(() => !location.search.includes("500"));
  const width = await widthOf(page, "test.parity");
  assert(width > 40 && width < 120, `test.parity fits into ${width} px`);
  await page.getByRole("separator", { name: "Width of service" }).press("Enter");
  await page.waitForFunction(() => new URLSearchParams(location.search).getAll("width").some((text) => text.endsWith(":service")));
}

async function scrollsSideways({ pages, url, token }) {
  await ingest(url, numbered(`${token}many`, 3));
  const many = Array.from({ length: 12 }, (_, i) => `col=test.${i}&width=${encodeURIComponent(`300:test.${i}`)}`).join("&");
  const page = await pages.visit(`/logs?q=${token}many&tail=0&${many}`);
  await rowCount(page, 3);
  await page.locator(".scroller").evaluate((element) => { element.scrollLeft = element.scrollWidth; });
  await page.waitForFunction(() => document.querySelector(".list-head-clip").scrollLeft > 1000);
  const [head, body] = [await page.locator(".list-head > span").nth(15).boundingBox(), await page.locator(".log-row .body").first().boundingBox()];
  equal(Math.round(head.x), Math.round(body.x), "the message stands below its name");
  const facet = page.locator('.facet[data-field="test.parity"]');
  await facet.hover();
  equal(await facet.getByRole("button", { name: "There are 12 columns" }).isDisabled(), true, "no thirteenth column");
}

async function phone({ pages, url, token }) {
  await ingest(url, numbered(`${token}tel`, 3));
  const page = await pages.visit(`/logs?q=${token}tel&tail=0&col=test.size&width=${encodeURIComponent("900:test.size")}`, { viewport: { width: 390, height: 800 } });
  await rowCount(page, 3);
  equal(await page.locator(".list-head").isVisible(), false, "names of columns");
  equal(await page.locator(".scroller").evaluate((element) => element.scrollWidth > element.clientWidth), false, "scrolls sideways");
  equal(await page.locator(".log-row").first().locator("[role=gridcell]").count(), 4, "cells of a row");
  equal(param(page, "col"), "test.size", "the column stays in the address");
}

export const columnJourneys = [
  ["columns are added from fields and from a record, and removed", addsAndRemoves],
  ["columns show values as they were sent, numbers to the right, and nothing for what is missing", showsValues],
  ["columns: the line of an access log shows its path", showsPaths],
  ["columns are moved with the mouse and the keyboard", moves],
  ["Escape leaves a column where it was", givesUp],
  ["columns are resized with the mouse and the keyboard, and a link shows the same", resizes],
  ["a double click fits a column to what is in it", fits],
  ["more columns than fit are scrolled sideways, below their names", scrollsSideways],
  ["on a phone columns change nothing", phone],
];
