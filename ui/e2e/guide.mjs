/** The pictures of `docs/guide/tour.md`, of the scenes that the journeys know: `npm run guide`. Small, because the repository keeps them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { startMock } from "../mock/server.mjs";
import { Pages, launch } from "./harness.mjs";
import { settled } from "./looks.mjs";
import { SCENES } from "./scenes.mjs";
import { put } from "./traces.mjs";

const CHOSEN = ["overview-hour", "logs", "record", "search-help", "patterns", "traces", "trace", "services-map", "sources"];
const FOLDER = fileURLToPath(new URL("../../docs/guide/images", import.meta.url));
const SIZE = { width: 1280, height: 800 };
const QUALITY = 70;

mkdirSync(FOLDER, { recursive: true });
const mock = await startMock({ count: 3000, big: 400 });
const browser = await launch();
const pages = new Pages(browser, mock.url);
try {
  const page = await pages.visit("/", { viewport: SIZE });
  const camera = await page.context().newCDPSession(page);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  for (const name of CHOSEN) {
    const scene = SCENES.find((one) => one.name === name);
    await put(mock.url, { state: "ok", rate: 8, session: null, ...scene.mock });
    await page.goto("about:blank");
    await page.goto(mock.url + scene.path);
    await scene.ready(page, (change) => put(mock.url, change));
    await settled(page);
    const { data } = await camera.send("Page.captureScreenshot", { format: "webp", quality: QUALITY });
    writeFileSync(join(FOLDER, `${name}.webp`), Buffer.from(data, "base64"));
  }
} finally {
  await browser.close();
  mock.stop();
}
console.log(`${CHOSEN.length} pictures: ${FOLDER}`);
