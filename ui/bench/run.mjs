/**
 * How fast the console is for whom looks at it: `npm run bench -- URL`, in a real Chromium, against a server that has records. Options: `--n 40` times each,
 * `--send` also sends a trace of 20,000 spans to that server, `--check` ends with 1 if a limit is broken, `--only WORD` takes the interactions with this in the name.
 * A URL may be the link that `logkeep demo` prints. `docs/benchmarks.md` says what the figures mean.
 */
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { launch } from "../e2e/harness.mjs";
import { dataOf } from "./data.mjs";
import { broken, figuresOf, table } from "./figures.mjs";
import { frames } from "./frames.mjs";
import { INTERACTIONS } from "./interactions.mjs";
import { newcomer } from "./newcomer.mjs";
import { install } from "./probe.mjs";

const LONGEST_MS = 30_000;
const QUIET_FRAMES = 6;
const FIRST_LOAD_KB = 300;
/** What any view has once it is there: before that it has no keys either. */
const SHOWN = ".log-row, .trace-row, tr[data-service], tr[data-source], .overview-service, .pattern-template, .differ-sides, .sql-editor, .state-card";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { n: { type: "string", default: "40" }, send: { type: "boolean", default: false }, check: { type: "boolean", default: false }, only: { type: "string", default: "" } },
});
const link = new URL(positionals[0] ?? "http://127.0.0.1:7280");
const url = link.origin;
const times = Number(options.n);
if (!Number.isInteger(times) || times < 1 || times > 1000) throw new Error(`--n is \`${options.n}\`, which is no number from 1 to 1,000`);

const browser = await launch();
const viewport = { width: 1440, height: 900 };

/** Who one is: a link signs in only once, so every profile gets what it gave. */
async function session() {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  await page.goto(link.href);
  await page.locator(".overview, .state-never, #search").first().waitFor();
  const state = await context.storageState();
  await context.close();
  return state;
}

const storageState = await session();
const contexts = [];
/** What had no result at all. */
const failed = [];

async function profile(address, first) {
  const context = await browser.newContext({ viewport, storageState });
  context.setDefaultTimeout(LONGEST_MS);
  contexts.push(context);
  await context.addInitScript(install, { first, longestMs: LONGEST_MS });
  const page = await context.newPage();
  await page.goto(address.startsWith("http") ? address : url + address);
  return page;
}

async function closeAll() {
  await Promise.all(contexts.splice(0).map((context) => context.close()));
}

const arm = (page, spec) => page.evaluate((asked) => window.__bench.arm(asked), spec);
const took = (page) => page.evaluate(() => window.__bench.took);

async function quiet(page) {
  const left = await page.evaluate((count) => window.__bench.quiet(count), QUIET_FRAMES);
  if (left.length > 0) console.log(`still not answered: ${left.join(", ")}, at ${page.url()}`);
}

/** Goes there without loading anything anew, as a link of the console does. */
async function go(page, address) {
  await page.evaluate((to) => {
    history.pushState(null, "", to);
    dispatchEvent(new PopStateEvent("popstate"));
  }, address);
  await page.locator(SHOWN).first().waitFor();
  await quiet(page);
}

async function measured(page, data, { at, before, act, done }, i) {
  await page.mouse.move(700, 2);
  await go(page, at(data, i));
  await page.evaluate(() => document.activeElement?.blur?.());
  await before?.(page, i, data);
  await arm(page, done(data, i, page));
  await act(page, i);
  const ms = await took(page);
  await quiet(page);
  return ms;
}

async function interactions(data) {
  const page = await profile("/logs?tail=0");
  const rows = [];
  let runs = 0;
  for (const one of INTERACTIONS.filter(({ name }) => name.includes(options.only))) {
    if (one.needs && !data.has[one.needs]) {
      console.log(`not taken, there are no ${one.needs}: ${one.name}`);
      continue;
    }
    const values = await repeated(page, data, one, () => ++runs);
    if (values.length > 0) rows.push(figuresOf({ limit: data.asked, ...one, values }));
  }
  await closeAll();
  return rows;
}

async function repeated(page, data, one, next) {
  const values = [];
  try {
    // The first of each loads what its page is made of; the newcomer's figures have that.
    for (let i = -1; i < times; i++) {
      const ms = await measured(page, data, one, next());
      if (i >= 0) values.push(ms);
    }
  } catch (error) {
    failed.push(one.name);
    console.log(`FAIL  ${one.name}, after ${values.length} times: ${String(error.message).split("\n")[0]}`);
  }
  return values;
}

async function firstTime(data) {
  const steps = new Map();
  for (let i = 0; i < Math.min(times, 20); i++) {
    const take = async (name, limit, page, step) => {
      if (step) {
        await arm(page, step.done);
        await step.act();
      }
      const values = steps.get(name)?.values ?? [];
      values.push(await took(page));
      steps.set(name, { name, limit, values });
      await quiet(page);
    };
    try {
      await newcomer({ open: profile, copy: profile, take, data });
    } catch (error) {
      failed.push("the newcomer's way");
      console.log(`FAIL  the newcomer's way: ${String(error.message).split("\n")[0]}`);
    }
    await closeAll();
  }
  return [...steps.values()].map(figuresOf);
}

/** What is transferred until the overview is there, each file as gzip makes it. */
async function firstLoad() {
  const context = await browser.newContext({ viewport, storageState });
  const page = await context.newPage();
  const bodies = [];
  page.on("response", (response) => { if (!new URL(response.url()).pathname.startsWith("/api/")) bodies.push(response.body().catch(() => Buffer.alloc(0))); });
  await page.goto(url);
  await page.locator(".overview, .state-never").first().waitFor();
  const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length / 1000);
  await context.close();
  return figuresOf({ name: `first load, ${sizes.length} files as gzip`, unit: "kB", values: [sizes.reduce((sum, one) => sum + one, 0)], limit: FIRST_LOAD_KB });
}

async function all() {
  const context = await browser.newContext({ storageState });
  const data = await dataOf(async (path) => {
    const response = await context.request.get(url + path, { timeout: LONGEST_MS });
    if (!response.ok()) throw new Error(`${path} answered ${response.status()}: ${await response.text()}`);
    return response.json();
  });
  await context.close();
  console.log(`${data.records} records, range ${data.from} to ${data.to}, ${browser.version()}`);
  const rows = [];
  if (!options.only) rows.push(await firstLoad(), ...(await firstTime(data)));
  rows.push(...(await interactions(data)));
  if (!options.only) rows.push(...(await frames({ open: profile, data, send: options.send })).map(figuresOf));
  console.log(table(rows));
  return broken(rows);
}

try {
  const beyond = await all();
  console.log(`${beyond.length} limits broken, ${failed.length} without a result`);
  if (failed.length > 0 || (options.check && beyond.length > 0)) process.exitCode = 1;
} finally {
  await browser.close();
}
