/** What there is a picture of: where it is, the state that the mock is in, and how one knows that it is there. */
const BIG = "b16".padEnd(32, "0");
const NASTY = "bad".padEnd(32, "0");
const LONG_AGO = "from=2001-01-01T00:00:00Z&to=2001-01-01T01:00:00Z";
const REFUSED = ["Failed to load resource"];

const there = (selector) => (page) => page.locator(selector).first().waitFor();
const says = (text) => (page) => page.getByText(text).first().waitFor();
const heading = (name) => (page) => page.getByRole("heading", { name, exact: true }).waitFor();

/** One step after another. */
const steps = (...all) => async (page, put) => {
  for (const step of all) await step(page, put);
};
const click = (selector) => (page) => page.locator(selector).first().click();
const press = (key) => (page) => page.keyboard.press(key);
const tab = (name) => (page) => page.getByRole("tab", { name }).click();
const lose = (file) => (page) => page.route(`**/assets/${file}-*.js`, (route) => route.abort());
const change = (state) => (_, put) => put({ state });

const scene = (name, path, ready, rest = {}) => ({ name, path, ready, ...rest });
const forbidden = (name, path) => scene(`${name}-forbidden`, path, says("You may not see this"), { mock: { state: "forbidden" }, allow: REFUSED });
const away = (name, path, there_) => scene(`${name}-away`, path, steps(there_, change("down"), press("r"), says("The server does not answer")), { allow: ["ERR_", ...REFUSED] });

const overview = [
  scene("overview", "/", there(".overview-service")),
  scene("overview-hour", "/overview?from=-1h", there(".change")),
  scene("overview-nothing", `/overview?${LONG_AGO}`, says("Nothing came in this range")),
  scene("overview-partial", "/", says("Only records of logs are counted here"), { mock: { state: "partial" } }),
  scene("page-not-loaded", "/", steps(there(".overview-service"), lose("SqlPage"), click('a[href^="/sql"]'), says("could not be loaded")), { allow: ["ERR_"] }),
  forbidden("overview", "/"),
  away("overview", "/", there(".overview-service")),
];

const logs = [
  scene("logs", "/logs", there(".log-row")),
  scene("logs-columns", "/logs?tail=0&from=-1h&col=http.response.status_code&col=k8s.pod.name", there(".log-row")),
  scene("logs-columns-many", `/logs?tail=0&from=-1h${["http.request.method", "url.path", "http.response.status_code", "mesh.duration_ms", "k8s.namespace.name", "k8s.pod.name", "host.name", "trace_id"].map((name) => `&col=${name}`).join("")}&width=240:url.path&width=90:service`, there(".log-row")),
  scene("logs-by", "/logs?tail=0&from=-1h&by=service.name", steps(there(".log-row"), there(".group-pick"))),
  scene("logs-by-some", "/logs?tail=0&from=-1h&by=http.response.status_code&q=service.name:checkout", steps(there(".log-row"), there(".group-pick"))),
  scene("logs-by-nothing", `/logs?${LONG_AGO}&by=service.name`, says("No records to count")),
  scene("logs-out-of-range", `/logs?${LONG_AGO}`, says("No records in this range")),
  scene("logs-excluded", "/logs?q=service.name:checkout and nosuchwordanywhere&from=-1h", there(".culprit")),
  scene("logs-bad-query", "/logs?q=level:", there(".search-bad"), { allow: REFUSED }),
  scene("logs-partial", "/logs", says("two of nine workers did not answer"), { mock: { state: "partial" } }),
  scene("logs-over-budget", "/logs", says("Until then it had looked at 81,200,000 records"), { mock: { state: "broken" }, allow: REFUSED }),
  scene("logs-slow", "/logs", steps(there('[data-tail="live"]'), change("slow"), press("-"), says("Still searching"))),
  scene("logs-behind", "/logs", steps(there(".log-row"), there("footer .link.text-warn")), { mock: { state: "behind" } }),
  forbidden("logs", "/logs"),
  away("logs", "/logs", there('[data-tail="live"]')),
  scene("record", "/logs?tail=0&from=-1h", steps(there(".log-row"), click(".log-row >> nth=8"), there(".panel .field"))),
  scene("record-surrounding", "/logs?tail=0&from=-1h", steps(click(".log-row >> nth=8"), tab("Surrounding"), there(".context-current"))),
  scene("record-json", "/logs?tail=0&from=-1h", steps(click(".log-row >> nth=8"), tab("JSON"), there(".panel .long-text"))),
  scene("record-masked", "/logs?tail=0&from=-1h&q=client.address:*", steps(there(".log-row"), click(".log-row >> nth=2"), there(".panel .field"), says("[masked]")), { mock: { state: "masked" } }),
  scene("record-proof", "/logs?tail=0&from=-1h", steps(there(".log-row"), click(".log-row >> nth=8"), click(".panel button[aria-expanded]"), click(".proof-facts + p button"), there(".proof-steps"), (page) => page.locator(".proof-note").scrollIntoViewIfNeeded())),
  scene("export", "/logs?tail=0&from=-1h&q=service.name:checkout&col=url.path", steps(there(".log-row"), press("e"), there("dialog.export form"))),
  scene("export-running", "/logs?tail=0&from=-1h", steps(there(".log-row"), press("e"), there("dialog.export form"), change("slow"), click("dialog.export .primary"), there("dialog.export progress"))),
  scene("export-done", "/logs?tail=0&from=-1h", steps(there(".log-row"), press("e"), click("dialog.export .primary"), says("saved as"))),
  scene("export-nothing", `/logs?${LONG_AGO}`, steps(says("No records in this range"), press("e"), says("There is nothing to export"))),
  scene("export-over", "/logs?tail=0&from=-1h", steps(there(".log-row"), press("e"), click("dialog.export .primary"), says("one may have 1000")), { mock: { state: "export_over" }, allow: REFUSED }),
  scene("export-cut", "/logs?tail=0&from=-1h", steps(there(".log-row"), press("e"), click("dialog.export .primary"), says("nothing was saved")), { mock: { state: "export_cut" }, allow: ["ERR_", ...REFUSED] }),
  scene("export-not-loaded", "/logs?tail=0&from=-1h", steps(there(".log-row"), lose("ExportDialog"), press("e"), says("could not be loaded")), { allow: ["ERR_"] }),
  scene("search-help", "/logs?tail=0", steps(there(".log-row"), (page) => page.getByRole("button", { name: "How to search" }).click(), there(".help"))),
  scene("times", "/logs?tail=0", steps(there(".log-row"), click(".time-button"), there(".time-dialog"))),
  scene("keyboard", "/logs?tail=0", steps(there(".log-row"), press("?"), there(".shortcuts"))),
];

const traces = [
  scene("traces", "/traces", there(".trace-row")),
  scene("traces-nothing", `/traces?${LONG_AGO}`, there(".state-card")),
  scene("traces-searched", "/traces?from=-1h&service=payment&errors=1&least=50ms", there(".trace-row")),
  forbidden("traces", "/traces"),
  scene("trace", "/traces?from=-1h&errors=1&service=frontend", steps(click(".trace-row a"), there(".line"))),
  scene("trace-span", "/traces?from=-1h&errors=1&service=frontend", steps(click(".trace-row a"), there(".line"), click(".line >> nth=5"), there(".panel .span-name"))),
  scene("trace-large", `/traces/${BIG}`, there(".line")),
  scene("trace-odd", `/traces/${NASTY}`, there(".line")),
  scene("trace-none", "/traces/1234", says("no span and no record"), { allow: REFUSED }),
];

const services = [
  scene("services", "/services?from=-1h", there("tr[data-service]")),
  scene("services-map", "/services?from=-1h&show=map", there(".node")),
  scene("services-map-part", "/services?from=-1h&show=map", steps(there(".node"), (page) => page.locator("#time-step").focus(), press("End"), there(".time-step .link"), there(".services:not(.stale) .node"))),
  scene("services-calls", "/services?from=-1h&show=calls", there("tr[data-call]")),
  scene("services-details", "/services?from=-1h&show=map&service=checkout", there(".panel .call-list")),
  scene("services-call", "/services?from=-1h&show=calls&service=payment&caller=checkout", there(".panel .facts")),
  scene("services-nothing", `/services?${LONG_AGO}`, says("No requests in this range")),
  forbidden("services", "/services"),
];

const sources = [
  scene("sources", "/sources", there("tr[data-source]")),
  scene("sources-day", "/sources?from=-24h&sort=rejected", there("tr[data-source]")),
  scene("sources-details", "/sources?source=syslog%7C10.1.9.40", there(".panel .line-table")),
  scene("sources-missing", "/sources?sort=missing&source=syslog%7C10.1.9.40", there(".panel .fate-missing"), { mock: { state: "unbalanced" } }),
  scene("sources-unclean", "/sources", there(".unclean"), { mock: { session: "administrator" } }),
  scene("sources-nothing", `/sources?${LONG_AGO}`, says("Nothing arrived in this range")),
  scene("sources-no-match", "/sources?q=nobody", says("No source matches")),
  forbidden("sources", "/sources"),
  scene("sources-not-for-you", "/sources", says("The ledger is for administrators"), { mock: { session: "engineer" } }),
  away("sources", "/sources", there("tr[data-source]")),
];

const asksForTour = steps(there(".log-row, .overview-service"), press("?"), (page) => page.getByRole("button", { name: /Take the tour/ }).click(), there(".tour h2"));
const leavesTour = (page) => page.evaluate(() => localStorage.setItem("logkeep.tour", "left 0"));
const tour = [
  scene("tour", "/logs?tail=0", steps(leavesTour, asksForTour, there("[data-tour]"))),
  scene("tour-map", "/logs?tail=0", steps(asksForTour, ...Array.from({ length: 7 }, () => press("ArrowRight")), there(".node"), there("[data-tour]"), leavesTour)),
];

const patterns = [
  scene("patterns", "/patterns?from=-1h", there(".patterns-table tbody tr")),
  scene("patterns-details", "/patterns?from=-1h", steps(click(".patterns-table tbody tr button, .patterns-table tbody tr a"), there(".panel .panel-section"))),
  scene("patterns-new", "/patterns?from=-1h&show=new", there(".tabs")),
  scene("patterns-nothing", `/patterns?${LONG_AGO}`, there(".state-card")),
  forbidden("patterns", "/patterns"),
  away("patterns", "/patterns", there(".patterns-table tbody tr")),
];

const compare = [
  scene("compare", "/compare?from=-30m", there("#compare-body .difference, #compare-body .state-card")),
  scene("compare-rest", "/compare?from=-1h&q=severity:error&with=rest", there(".difference")),
  scene("compare-no-rest", "/compare?with=rest", says("Search for something first")),
  scene("compare-nothing", `/compare?${LONG_AGO}`, says("Nothing to compare")),
  forbidden("compare", "/compare"),
  away("compare", "/compare", there("#compare-body .differ-sides")),
];

const palette = (text) => steps(press("Control+k"), there(".palette-option"), (page) => page.keyboard.type(text));
const palettes = [
  scene("palette", "/logs?tail=0&from=-1h", steps(there(".log-row"), palette(""), there('[data-command^="service "]'))),
  scene("palette-service", "/overview?from=-1h", steps(there(".overview-service"), palette("pay"), there('[data-command^="service traces"]'))),
  scene("palette-trace", "/traces", steps(there(".trace-row"), palette(BIG), there('[data-command="trace"]'))),
  scene("palette-nothing", "/services", steps(there("tr[data-service]"), palette("no such thing"), there('[data-command="search"]'))),
  scene("palette-forbidden", "/logs?tail=0", steps(says("You may not see this"), palette(""), says("could not be found out")), { mock: { state: "forbidden" }, allow: REFUSED }),
];

const saved = (page) => page.locator(".views-button").click();
const views = [
  scene("views", "/logs?tail=0", steps(there(".log-row"), saved, there(".view-one"))),
  scene("views-save", "/logs?tail=0", steps(there(".log-row"), saved, (page) => page.getByRole("button", { name: "Save this view" }).click(), there("dialog.views form"))),
  scene("views-change", "/compare", steps(there("#compare-body .differ-sides"), saved, (page) => page.getByRole("button", { name: "Change Errors of payment" }).click(), there("dialog.views form")), { mock: { session: "administrator" } }),
];

const people = [
  scene("sign-in", "/", heading("Sign in"), { mock: { session: "nobody" }, allow: REFUSED }),
  scene("set-up", "/#set-up=lkl_00.00", heading("Set up the first administrator"), { mock: { session: "nobody" }, allow: REFUSED }),
  scene("choose-password", "/#password=lkl_00.00", heading("Choose your password"), { mock: { session: "nobody" }, allow: REFUSED }),
  scene("account", "/account", there("table"), { mock: { session: "administrator" } }),
  scene("account-nobody", "/account", says("You are let in without signing in")),
  scene("people", "/people", there("table"), { mock: { session: "administrator" } }),
  scene("people-change", "/people", steps(there("table"), (page) => page.getByRole("button", { name: "Change Nils Okafor" }).click(), there("form")), { mock: { session: "administrator" } }),
  scene("people-forbidden", "/people", heading("People"), { mock: { session: "analyst" } }),
  scene("approvals", "/approvals", there("table"), { mock: { session: "administrator" } }),
  scene("break-glass", "/approvals", there("form"), { mock: { session: "analyst" } }),
  scene("audit", "/audit", there("table"), { mock: { session: "administrator" } }),
  scene("audit-details", "/audit", steps(there("table"), click("tbody button"), there(".details")), { mock: { session: "administrator" } }),
  scene("audit-forbidden", "/audit", heading("Audit trail"), { mock: { session: "analyst" } }),
  scene("overview-signed-in", "/", there(".overview-service"), { mock: { session: "administrator" } }),
];

/** These leave the mock empty, so they come last. */
const first = [
  scene("first-overview", "/", says("Waiting for the first record"), { mock: { state: "empty" } }),
  scene("first-logs", "/logs", says("Waiting for the first record"), { mock: { state: "empty" } }),
  scene("first-traces", "/traces", there(".state-card"), { mock: { state: "empty" } }),
  scene("first-services", "/services", there(".state-card"), { mock: { state: "empty" } }),
  scene("first-patterns", "/patterns", there(".state-card"), { mock: { state: "empty" } }),
  scene("first-sources", "/sources", says("Nothing has been sent yet"), { mock: { state: "empty" } }),
];

const asked = (sql) => `/sql?sql=${encodeURIComponent(sql)}`;
const run = click(".sql-form .primary");
const sql = [
  scene("sql", "/sql", says("Ask in SQL")),
  scene("sql-offers", asked("select \"service.name\", count(*) as records -- of today\nfrom logs\nwhere severity = 'error' and se"), steps(there(".sql-colours"), (page) => page.locator(".sql-editor textarea").focus(), press("Control+End"), press("Control+Space"), there(".completions"))),
  scene("sql-link", asked("select time from logs"), says("Not run yet")),
  scene("sql-rows", asked("select time, \"service.name\", records from logs"), steps(run, there(".sql-table td"))),
  scene("sql-masked", asked("select time, \"service.name\", records from logs"), steps(run, says("is hidden from you by your role")), { mock: { state: "masked" } }),
  scene("sql-bars", asked("select \"service.name\", count(*) as records from logs group by 1"), steps(run, there(".sql-bar"))),
  scene("sql-nothing", asked("select * from logs where false"), steps(run, says("No rows"))),
  scene("sql-error", asked("select time,\n  nope\nfrom logs"), steps(run, there(".sql-place mark")), { allow: REFUSED }),
  scene("sql-over", asked("select count(*) from logs"), steps(run, says("the query reached its time")), { mock: { state: "no_sql" }, allow: REFUSED }),
  scene("sql-running", asked("select count(*) from logs"), steps(run, says("Running")), { mock: { state: "slow" } }),
  scene("sql-forbidden", asked("select count(*) from logs"), steps(run, says("You may not see this")), { mock: { state: "forbidden" }, allow: REFUSED }),
  scene("sql-away", asked("select time from logs"), steps(there(".sql-form"), change("down"), run, says("The server does not answer")), { allow: ["ERR_", ...REFUSED] }),
];

export const SCENES = [...overview, ...logs, ...traces, ...services, ...sources, ...patterns, ...compare, ...palettes, ...views, ...sql, ...tour, ...people, ...first];
