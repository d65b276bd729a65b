/**
 * Pictures of every page and state that the journeys know, light and dark, on a desk and on a phone: `npm run shots -- FOLDER`. They are for people to look at.
 * What a machine can tell fails: an error in the console, a rule of accessibility, a page that is wider than the screen, text that is cut off where nothing says the rest.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { startMock } from "../mock/server.mjs";
import { violations } from "./accessible.mjs";
import { Pages, launch } from "./harness.mjs";
import { cutOff, settled } from "./looks.mjs";
import { SCENES } from "./scenes.mjs";
import { put } from "./traces.mjs";

const LONGEST_MS = 900_000;
const DEVICES = {
  desk: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
};
/** In which theme the rules of axe are looked at: both themes and both screens, and twice a scene is enough. */
const CHECKED = { desk: "light", phone: "dark" };
const USUAL = { state: "ok", rate: 8, session: null };

/** `only` is a part of the names to take. */
const [folder = join(process.env.CARGO_TARGET_DIR ?? "../target", "console"), only = ""] = process.argv.slice(2);

async function draw(pages, page, device, scene, url) {
  const problems = [];
  pages.faults.length = 0;
  pages.allowed = scene.allow ?? [];
  // What the scene before lost is there again.
  await page.unrouteAll();
  await put(url, { ...USUAL, ...scene.mock });
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  // So that an address with only another part behind `#` is loaded as well.
  await page.goto("about:blank");
  await page.goto(url + scene.path);
  await scene.ready(page, (change) => put(url, change));
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await settled(page);
    if (CHECKED[device] === colorScheme) problems.push(...(await violations(page)));
    await page.screenshot({ path: join(folder, `${scene.name}.${device}.${colorScheme}.png`), fullPage: await page.locator(".page").count() > 0, animations: "disabled" });
  }
  problems.push(...(await cutOff(page)), ...pages.faults);
  return problems.map((problem) => `${scene.name}, ${device}: ${problem}`);
}

function contents(scenes) {
  const picture = (scene, device, scheme) => `<a href="${scene}.${device}.${scheme}.png"><img loading="lazy" alt="${scene}, ${device}, ${scheme}" src="${scene}.${device}.${scheme}.png" height="360"></a>`;
  const one = ({ name }) => `<h2>${name}</h2>\n${Object.keys(DEVICES).map((device) => ["light", "dark"].map((scheme) => picture(name, device, scheme)).join("\n")).join("\n")}`;
  return `<!doctype html>\n<meta charset="utf-8">\n<title>The console</title>\n${scenes.map(one).join("\n")}\n`;
}

async function all() {
  const scenes = SCENES.filter(({ name }) => name.includes(only));
  mkdirSync(folder, { recursive: true });
  // Of a scene that there is no more, and nothing else: whose folder it is is not known.
  for (const file of readdirSync(folder)) if (/\.(desk|phone)\.(light|dark)\.png$/.test(file)) rmSync(join(folder, file));
  const began = performance.now();
  const mock = await startMock({ count: 3000, big: 400 });
  const browser = await launch();
  const pages = new Pages(browser, mock.url);
  const found = [];
  const failed = (scene, device) => (error) => [`${scene.name}, ${device}: ${String(error.message).split("\n").slice(0, 4).join(" ")}`];
  try {
    const open = [];
    for (const [device, options] of Object.entries(DEVICES)) open.push([device, await pages.visit("/", { ...options, bypassCSP: true })]);
    for (const scene of scenes) {
      if (performance.now() - began > LONGEST_MS) throw new Error(`after ${LONGEST_MS / 1000} s only those before \`${scene.name}\` are taken`);
      for (const [device, page] of open) {
        const problems = await draw(pages, page, device, scene, mock.url).catch(failed(scene, device));
        for (const problem of problems) console.log(`FAIL  ${problem}`);
        found.push(...problems);
      }
    }
  } finally {
    await browser.close();
    mock.stop();
  }
  writeFileSync(join(folder, "index.html"), contents(scenes));
  console.log(`${scenes.length * 4} pictures in ${Math.round((performance.now() - began) / 1000)} s, ${found.length} problems: ${resolve(folder)}`);
  return found.length === 0 && scenes.length > 0;
}

process.exitCode = (await all()) ? 0 : 1;
