/** What one does all the time: where it begins, the input, and how one knows that its result is there. */

/** What is only drawn; what the server is asked for has no limit here: it is for as many records as there are. */
const DRAWN_MS = 100;

const press = (key) => (page) => page.keyboard.press(key);
const click = (selector, at) => (page, i) => page.locator(selector).nth(at?.(i) ?? 0).click();
const logs = (data, i, q = "") => data.address("/logs", i, { q, tail: "0" });

async function searching(page, q) {
  await page.keyboard.press("/");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(q);
  await page.waitForFunction((text) => document.querySelector("#search")?.value === text, q);
}

async function drag(page, i) {
  const box = await page.locator(".histogram-plot").boundingBox();
  const from = 0.2 + (i % 10) * 0.02;
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * from, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * (from + 0.2), y, { steps: 4 });
  await page.mouse.move(box.x + box.width * (from + 0.5), y, { steps: 4 });
  await page.mouse.up();
}

const list = { path: "/logs", asks: ["logs"], there: ".log-row, .state-card" };

const ofLogs = [
  {
    name: "a letter in the search", limit: DRAWN_MS, at: (data, i) => logs(data, i), before: (page) => searching(page, "erro"),
    act: press("r"), done: () => ({ value: "error" }),
  },
  {
    name: "a query of a word", at: (data, i) => logs(data, i), before: (page, i, data) => searching(page, data.word(i)),
    act: press("Enter"), done: () => ({ ...list, changed: { q: null } }),
  },
  {
    name: "a query of fields", at: (data, i) => logs(data, i),
    before: (page, i, data) => searching(page, `service.name:"${data.service(i)}" and (severity:error or severity:warn)`),
    act: press("Enter"), done: () => ({ ...list, changed: { q: null } }),
  },
  {
    name: "a click on a value of a field", at: (data, i) => logs(data, i), act: click(".facet .facet-pick:not([disabled])", (i) => i % 5),
    done: () => ({ ...list, changed: { q: null } }),
  },
  {
    name: "an older range", at: (data, i) => logs(data, i), act: press("["),
    done: (data, i) => ({ ...list, changed: { from: data.range(i).from } }),
  },
  {
    name: "histogram after any of them", at: (data, i) => logs(data, i), act: press("["),
    done: (data, i) => ({ ...list, asks: ["logs", "histogram"], there: ".histogram rect[class^=fill]", old: ".histogram.stale", changed: { from: data.range(i).from } }),
  },
  {
    name: "a drag over the histogram", at: (data, i) => logs(data, i), act: drag,
    done: (data, i) => ({ ...list, changed: { from: data.range(i).from } }),
  },
  {
    name: "opening a record", limit: DRAWN_MS, at: (data, i) => logs(data, i), act: click(".log-row", (i) => i % 12),
    done: () => ({ path: "/logs", there: ".panel .field", changed: { record: null } }),
  },
  {
    name: "the next record", limit: DRAWN_MS, at: (data, i) => logs(data, i),
    before: async (page) => { await page.locator(".log-row").nth(1).click(); await page.locator(".panel .field").first().waitFor(); },
    act: press("j"), done: (_, __, page) => ({ path: "/logs", there: ".panel .field", changed: { record: new URL(page.url()).searchParams.get("record") } }),
  },
];

const goes = (name, key, path, asks, there, rest = {}) => ({
  name, at: (data, i) => data.address(path === "/logs" ? "/sources" : "/logs", i, path === "/logs" ? {} : { tail: "0" }), act: press(key), done: () => ({ path, asks, there }), ...rest,
});

const ofGroups = [
  {
    name: "bars of a field's values", at: (data, i) => logs(data, i), act: click(".facet-by", (i) => i % 4),
    done: () => ({ ...list, asks: ["histogram"], there: ".groups", old: ".histogram.stale", changed: { by: null } }),
  },
  {
    name: "what differs from all other records", at: (data, i) => data.address("/compare", i, { q: "severity:error" }), act: click("#with-rest"),
    done: () => ({ path: "/compare", asks: ["compare"], there: ".differ-sides", changed: { with: null } }),
  },
  {
    name: "a count in SQL", at: (data, i) => data.address("/sql", i), before: (page, i, data) => page.locator("textarea").fill(data.count(i)),
    act: press("Control+Enter"), done: () => ({ path: "/sql", asks: ["sql"], there: ".sql-table", changed: { sql: null } }),
  },
];

const ofViews = [
  goes("to the overview", "1", "/overview", ["overview"], ".overview-service"),
  goes("to the logs", "2", "/logs", ["logs"], ".log-row"),
  goes("to the traces", "3", "/traces", ["spans"], ".trace-row", { needs: "spans" }),
  goes("to the services", "4", "/services", ["services", "graph"], "tr[data-service]", { needs: "requests" }),
  goes("to the sources", "5", "/sources", ["sources"], ".list.sources"),
  goes("to the patterns", "6", "/patterns", ["patterns"], ".patterns-table tbody tr"),
];

const ofTraces = [
  {
    name: "a search for traces", needs: "spans", at: (data, i) => data.address("/traces", i), before: (page, i) => searching(page, `span.duration_ns>=${1000 + i}`),
    act: press("Enter"), done: () => ({ path: "/traces", asks: ["spans"], there: ".trace-row", changed: { q: null } }),
  },
  {
    name: "opening a trace", needs: "spans", at: (data, i) => data.address("/traces", i), act: click(".trace-row a", (i) => i % 12),
    done: () => ({ there: ".waterfall .line" }),
  },
  {
    name: "the map, of counts that are there", limit: DRAWN_MS, needs: "requests", at: (data, i) => data.address("/services", i), act: press("m"),
    done: () => ({ path: "/services", there: ".map .node" }),
  },
];

export const INTERACTIONS = [...ofLogs, ...ofGroups, ...ofViews, ...ofTraces];
