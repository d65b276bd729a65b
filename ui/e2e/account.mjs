/** What is one's own: second factor, sessions, tokens. By keyboard, after `signin.mjs` has set alice up. */
import { createHmac } from "node:crypto";
import { violations } from "./accessible.mjs";
import { assert, equal } from "./harness.mjs";
import { PASSWORD, asked, inside, say } from "./signin.mjs";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const STEP_MS = 30_000;

/** What an app does with the secret (RFC 6238), from early enough in a step for all that is asked of it. */
async function app(secret) {
  const bits = [...secret].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const into = Date.now() % STEP_MS;
  if (into > STEP_MS / 2) await new Promise((begun) => setTimeout(begun, STEP_MS - into));
  const now = Math.floor(Date.now() / STEP_MS);
  return (steps) => {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(now + steps));
    const digest = createHmac("sha1", key).update(counter).digest();
    const number = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
  };
}

const press = async (control) => {
  await control.focus();
  await control.press("Enter");
};
const button = (at, name) => at.getByRole("button", { name, exact: true });
const form = (page, name) => page.getByRole("form", { name, exact: true });
const field = (at, name) => at.getByRole("textbox", { name });
const password = (at) => at.getByLabel("Password", { exact: true });

async function type(page, control, text) {
  await control.focus();
  await page.keyboard.type(text);
}

async function account(pages, options = {}) {
  const page = await pages.visit("/account", { bypassCSP: true, reducedMotion: "reduce", ...options });
  await asked(page);
  await say(page, "alice", PASSWORD);
  return page;
}

const here = (page) => page.getByRole("heading", { name: "Account", exact: true }).waitFor();

async function aSecondFactor({ pages }) {
  pages.allow("401");
  const page = await account(pages);
  await here(page);
  equal(await violations(page), [], "the account");
  const second = form(page, "Second factor");
  await type(page, password(second), PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("img", { name: "QR code of the secret" }).waitFor();
  equal(await violations(page), [], "enrolling");
  const code = await app(await page.locator(".secret").innerText());
  await page.keyboard.type("000000x");
  await page.keyboard.press("Enter");
  await second.getByRole("alert").waitFor();
  await second.getByRole("textbox").fill("");
  await page.keyboard.type(code(-1));
  await page.keyboard.press("Enter");
  const shown = page.locator(".once pre");
  await shown.waitFor();
  equal(await violations(page), [], "recovery codes");
  const recovery = (await shown.innerText()).split("\n");
  equal(recovery.length, 10, "recovery codes");
  await press(button(page, "I have kept it"));
  await page.getByText("It is on. 10 recovery codes are left.").waitFor();
  equal(await violations(page), [], "a second factor that is on");

  for (const [wrong, right] of [["123", code(0)], [code(0), recovery[2].toUpperCase()]]) {
    await press(button(page, "Sign out (alice)"));
    await asked(page);
    await say(page, "alice", PASSWORD);
    await page.getByRole("heading", { name: "One more thing" }).waitFor();
    equal(await violations(page), [], "the question for a code");
    await page.keyboard.type(wrong);
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "That is not right" }).waitFor();
    await field(page, "Code").fill("");
    await page.keyboard.type(right);
    await page.keyboard.press("Enter");
    await here(page);
  }
  await page.getByText("9 recovery codes are left").waitFor();
  await type(page, password(second), PASSWORD);
  await page.keyboard.press("Tab");
  await page.keyboard.type(code(1));
  await press(button(second, "Switch it off"));
  await button(page, "Set up an app").waitFor();
}

async function ownTokens({ pages, url }) {
  pages.allow("401");
  const page = await account(pages);
  await here(page);
  const make = form(page, "Make a token");
  await type(page, field(make, "What it is for"), "ci <b>");
  await make.getByRole("checkbox", { name: "analyst" }).focus();
  await page.keyboard.press("Space");
  await press(button(make, "Make a token"));
  await page.locator(".once pre").waitFor();
  equal(await violations(page), [], "a token that is shown");
  const token = await page.locator(".once pre").innerText();
  const status = async () => (await fetch(`${url}/api/v1/logs`, { headers: { authorization: `Bearer ${token}` } })).status;
  equal(await status(), 200, "the token reads");
  await press(button(page, "I have kept it"));
  assert(!(await page.content()).includes(token), "it is shown once");
  const row = page.getByRole("row").filter({ hasText: "ci <b>" });
  await press(button(row, "End"));
  await press(button(row, "Really end it"));
  await row.waitFor({ state: "detached" });
  equal(await status(), 401, "the token after its end");
  await press(button(make, "Make a token"));
  equal(await make.locator(":invalid").count() > 0, true, "a token needs a name");
}

async function ownSessions({ pages }) {
  pages.allow("401");
  const mine = await account(pages);
  await here(mine);
  const there = await account(pages, { colorScheme: "dark" });
  await here(there);
  equal(await violations(there), [], "the account in the dark");
  await mine.reload();
  const list = mine.getByRole("region", { name: "Sessions" });
  await list.getByText("this one").waitFor();
  const others = list.getByRole("row").filter({ hasNotText: "this one" });
  // The head, and those that other tests have left.
  for (let left = (await others.count()) - 1; left > 0; left--) {
    await press(button(others.nth(1), "End"));
    await press(button(others.nth(1), "Really end it"));
    await mine.waitForFunction((rows) => document.querySelectorAll(".page-section tbody tr").length === rows, left);
  }
  await there.reload();
  await asked(there);
  await mine.reload();
  await here(mine);
  await press(mine.getByRole("link", { name: "Logs" }));
  await inside(mine);
}

export { account as visitAccount, app, button, field, form, password, press, type };

export const accountJourneys = [
  ["a second factor: enrolling, signing in, recovery, switching off", aSecondFactor],
  ["own tokens: made, shown once, ended", ownTokens],
  ["own sessions: seen and ended", ownSessions],
];
