/** Services and who calls whom: as tables, as a map, and the ways from there to logs and traces. */
import { violations } from "./accessible.mjs";
import { equal, ingest, param, rowCount } from "./harness.mjs";
import { healthy, put, shop } from "./traces.mjs";

const panel = (page) => page.getByRole("complementary", { name: /Details|Call/ });
const service = (page, name) => page.locator(`tr[data-service="${name}"]`);
const node = (page, name) => page.getByRole("button", { name: new RegExp(`^${name}: `) });

/** Narrowed to what this test sent, by what a query knows of requests and calls. */
const only = (word) => encodeURIComponent(`service.name:${word}*`);

async function tells({ pages, url, token }) {
  const word = `${token}tell`;
  await shop(url, word);
  await shop(url, word, { error: false });
  const page = await pages.visit(`/services?q=${only(word)}`);
  await service(page, `${word}-pay`).waitFor();
  equal(await page.locator("tr[data-service]").count(), 3, "services");
  equal(await service(page, `${word}-pay`).locator("td").first().innerText(), "2", "requests");
  await service(page, `${word}-pay`).getByText("50.0 %").waitFor();
  await service(page, `${word}-pay`).getByRole("link", { name: `${word} the card was refused` }).waitFor();
  await page.getByRole("columnheader", { name: "Service" }).getByRole("button").click();
  equal(await page.locator("tr[data-service]").evaluateAll((rows) => rows.map((row) => row.dataset.service)), [`${word}-jobs`, `${word}-pay`, `${word}-web`], "services by name");
  const other = await pages.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await other.locator('th[aria-sort="ascending"]').getByText("Service").waitFor();
}

async function leads({ pages, url, token }) {
  const word = `${token}lead`;
  await shop(url, word);
  const page = await pages.visit(`/services?q=${only(word)}&from=-1h`);
  await service(page, `${word}-pay`).getByRole("link", { name: "Logs" }).click();
  await rowCount(page, 1);
  equal([param(page, "q"), param(page, "from")], [`service.name:${word}-pay`, "-1h"], "the logs of the service");
  await page.goBack();
  await service(page, `${word}-pay`).getByRole("link", { name: "Traces" }).click();
  await page.locator(".trace-row").first().waitFor();
  equal(param(page, "service"), `${word}-pay`, "the traces of the service");
  await page.goBack();
  await page.getByRole("tab", { name: "Calls" }).click();
  await page.locator(`tr[data-call="${word}-web ${word}-pay"]`).getByRole("link", { name: "Traces" }).click();
  await page.waitForFunction(() => document.querySelector(".traces .scroller")?.dataset.rows === "1");
  equal([param(page, "service"), param(page, "through")], [`${word}-pay`, `${word}-web`], "the traces of the call");
  await page.goBack();
  await page.locator(`tr[data-call="${word}-web ${word}-pay"]`).getByRole("link", { name: "Logs" }).click();
  await rowCount(page, 1);
  await page.goBack();
  await page.getByRole("tab", { name: "Services" }).click();
  await service(page, `${word}-pay`).getByRole("link", { name: `${word} the card was refused` }).click();
  await page.locator(".panel .message").getByText("the card was refused").first().waitFor();
}

async function maps({ pages, url, token }) {
  const word = `${token}map`;
  await shop(url, word);
  const page = await pages.visit(`/services?show=map&q=${only(word)}`);
  await node(page, `${word}-web`).waitFor();
  equal(await page.locator(".node").count(), 3, "services drawn");
  equal(await page.locator(".edge").count(), 2, "calls drawn");
  const left = async (name) => (await node(page, name).boundingBox()).x;
  equal(await left(`${word}-web`) < await left(`${word}-pay`), true, "callers stand left of whom they call");
  await node(page, `${word}-pay`).click();
  await panel(page).getByText("Called by").waitFor();
  await panel(page).getByRole("button", { name: new RegExp(`${word}-web`) }).click();
  await panel(page).getByText(`${word}-web → ${word}-pay`).waitFor();
  const other = await pages.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await panel(other).getByText(`${word}-web → ${word}-pay`).waitFor();
  await panel(page).getByRole("link", { name: "Traces" }).click();
  await page.waitForFunction(() => document.querySelector(".traces .scroller")?.dataset.rows === "1");
}

async function byKeyboard({ pages, url, token }) {
  const word = `${token}arrow`;
  await shop(url, word);
  const page = await pages.visit("/traces");
  await page.locator(".trace-row").first().waitFor();
  await page.keyboard.press("4");
  await page.getByRole("tab", { name: "Services" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type(`service.name:${word}*`);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await service(page, `${word}-web`).waitFor();
  await page.keyboard.press("m");
  await node(page, `${word}-web`).waitFor();
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? "");
  for (let presses = 0; presses < 40 && !(await focused()).startsWith(word); presses++) await page.keyboard.press("Tab");
  for (const name of [`${word}-web`, `${word}-pay`, `${word}-jobs`]) {
    if (name === `${word}-web`) await page.keyboard.press("ArrowLeft");
    else if (name === `${word}-pay`) await page.keyboard.press("ArrowRight");
    else await page.keyboard.press((await focused()).startsWith(`${word}-pay`) ? "ArrowDown" : "ArrowUp");
  }
  await page.keyboard.press("ArrowLeft");
  equal((await focused()).startsWith(`${word}-web: `), true, "the service with the focus");
  await page.keyboard.press("Enter");
  await panel(page).getByText("Calls", { exact: true }).waitFor();
  equal(param(page, "service"), `${word}-web`, "the service in the address");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((name) => new URLSearchParams(location.search).get("service")?.startsWith(name) && !location.search.includes("-web"), word);
  await page.keyboard.press("Escape");
  equal(param(page, "service"), null, "what is open after Escape");
  await page.keyboard.press("c");
  await page.locator("tr[data-call]").first().waitFor();
}

async function throughTime({ pages, url, token }) {
  const word = `${token}time`;
  const end = Date.now();
  await shop(url, word, { at: end - 20 * 60_000 });
  const range = `from=${new Date(end - 3_600_000).toISOString()}&to=${new Date(end).toISOString()}`;
  const page = await pages.visit(`/services?show=map&q=${only(word)}&${range}`);
  await node(page, `${word}-web`).waitFor();
  const place = () => node(page, `${word}-pay`).boundingBox();
  const before = await place();
  const slider = page.getByRole("slider", { name: "Time" });
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  await page.locator(".node-idle").nth(2).waitFor();
  equal([param(page, "step"), await page.locator(".edge").count()], ["1", 0], "the first two minutes, in which nobody called");
  equal(await place(), before, "where a service stands");
  // Two minutes are a step: what happened 20 minutes before the end is in the twentieth or at its edge.
  for (let at = 1; at < 20; at++) await page.keyboard.press("ArrowRight");
  if (await page.locator(".edge").first().waitFor({ timeout: 3000 }).then(() => false, () => true)) await page.keyboard.press("ArrowRight");
  await page.locator(".edge").nth(1).waitFor();
  equal(await slider.getAttribute("aria-valuetext"), await page.locator("output").innerText(), "what is read of the slider");
  const other = await pages.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await other.locator(".edge").nth(1).waitFor();
  await page.getByRole("tab", { name: "Services" }).click();
  await service(page, `${word}-pay`).waitFor();
  await page.keyboard.press(",");
  await page.keyboard.press(",");
  await page.getByText("No requests in this range").waitFor();
  await page.getByRole("button", { name: "All of the range" }).first().click();
  await service(page, `${word}-pay`).waitFor();
  equal(param(page, "step"), null, "the step of all of it");
}

async function inert({ pages, url, token }) {
  const word = `${token}<img src=x onerror="document.title='owned'">\u202e`;
  await shop(url, word);
  await ingest(url, [{ severity: "error", "service.name": `${word}-pay`, message: "<script>alert(1)</script>" }]);
  const page = await pages.visit(`/services?from=-5m`);
  await page.getByRole("button", { name: token }).first().click();
  await panel(page).getByRole("link", { name: "Logs" }).waitFor();
  await page.getByText("\\u202e").first().waitFor();
  for (const show of ["Map", "Calls"]) {
    await page.getByRole("tab", { name: show }).click();
    await page.locator(".node, tr[data-call]").first().waitFor();
  }
  equal(await page.locator("#root :is(img, script, b, i)").count(), 0, "elements made from data");
  equal(await page.title(), "Services – Logkeep", "the title");
  equal(await page.evaluate(() => document.documentElement.scrollWidth), 1440, "width of the page");
}

async function onPhone({ pages, url, token }) {
  const word = `${token}palm`;
  await shop(url, word);
  const page = await pages.visit(`/services?q=${only(word)}`, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  await service(page, `${word}-pay`).waitFor();
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);
  equal(await width(), 390, "width of the table");
  await page.getByRole("tab", { name: "Map" }).tap();
  await node(page, `${word}-web`).tap();
  await panel(page).getByRole("link", { name: "Traces" }).waitFor();
  equal(await width(), 390, "width of the map and its details");
}

async function accessible({ pages, url, token }) {
  const word = `${token}even`;
  await shop(url, word);
  for (const colorScheme of ["light", "dark"]) {
    const page = await pages.visit(`/services?q=${only(word)}`, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    for (const show of ["Services", "Map", "Calls"]) {
      await page.getByRole("tab", { name: show }).click();
      await page.locator("tr[data-service], .node, tr[data-call]").first().waitFor();
      equal(await violations(page), [], `${show}, ${colorScheme}`);
    }
    await page.goto(`${url}/services?show=map&service=${word}-web&q=${only(word)}`);
    await panel(page).getByText("Called by").waitFor();
    equal(await violations(page), [], `a service, ${colorScheme}`);
    await panel(page).getByRole("button", { name: new RegExp(`${word}-pay`) }).click();
    await panel(page).getByText("Mutual TLS").waitFor();
    equal(await violations(page), [], `a call, ${colorScheme}`);
    await page.goto(`${url}/services?q=service.name:nobody`);
    await page.getByText("No requests match").waitFor();
    equal(await violations(page), [], `nothing, ${colorScheme}`);
  }
}

async function forbidden({ pages, url }) {
  pages.allow("403");
  await put(url, { state: "forbidden" });
  const page = await pages.visit("/services");
  await page.getByText("You may not see this").waitFor();
}

async function awayAndBack({ pages, url }) {
  pages.allow("ERR_", "Failed to load resource");
  const page = await pages.visit("/services");
  await page.locator("tr[data-service]").first().waitFor();
  await put(url, { state: "down" });
  await page.keyboard.press("r");
  await page.getByText("The server does not answer").first().waitFor();
  await put(url, { state: "ok" });
  await page.locator("tr[data-service]").first().waitFor();
}

async function showsTls({ pages }) {
  const page = await pages.visit("/services?show=calls&from=-1h");
  for (const state of ["proven", "claimed", "unproven", "plaintext"]) await page.locator(".mtls").getByText(state, { exact: true }).first().waitFor();
  await page.getByRole("tab", { name: "Map" }).click();
  await page.locator(".edge .lock-plaintext").waitFor();
  await page.getByText(/not say whom they call: not on the map/).waitFor();
  equal((await page.locator(".mesh-frame").allTextContents()).sort(), ["Mesh consul", "Mesh istio"], "meshes that are drawn");
  const box = (selector) => page.locator(selector).boundingBox();
  const istio = await box('.mesh-frame:has-text("Mesh istio") rect');
  const within = async (name) => {
    const { x, y } = await node(page, name).boundingBox();
    return x > istio.x && y > istio.y && x < istio.x + istio.width && y < istio.y + istio.height;
  };
  equal([await within("checkout"), await within("shipping"), await within("redis")], [true, false, false], "who is drawn within the mesh");
  equal(await page.locator(".edge-crossing").count(), 3, "calls that leave or enter a mesh");
  await page.getByRole("tab", { name: "Calls" }).click();
  await page.locator('tr[data-call="checkout shipping"]').getByText("crosses").waitFor();
}

export const serviceJourneys = [
  ["services: tell requests, errors, durations and the newest error", tells],
  ["services: lead to logs, traces and the newest error in one click", leads],
  ["services: are a map of who calls whom", maps],
  ["services: in a part of the range, everything where it was", throughTime],
  ["services: by keyboard", byKeyboard],
  ["services: show hostile names as text", inert],
  ["services: read on a phone", onPhone],
  ["services: break no accessibility rule, light and dark", accessible],
];

export const serviceStates = [
  ["services: forbidden says so", forbidden],
  ["services: server away and back", awayAndBack],
  ["services: show meshes and what is known of mutual TLS", showsTls],
].map(([name, test]) => [name, healthy(test)]);
