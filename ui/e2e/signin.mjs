/** Saying who one is: against a server that asks, with `LOGKEEP_SET_UP_LINK`, the secret of its first administrator. */
import { violations } from "./accessible.mjs";
import { assert, equal } from "./harness.mjs";

export const PASSWORD = "granite lantern oboe thirty";

/** By keyboard alone: the first field has the focus, Tab goes on, Enter sends. */
export async function say(page, user, password) {
  await page.getByRole("textbox", { name: "User name" }).waitFor();
  await page.keyboard.type(user);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
}

export const asked = (page) => page.getByRole("heading", { name: "Sign in" }).waitFor();
export const inside = (page) => page.locator("#search, .overview, #view").first().waitFor();

async function setsUpSignsOutAndIn({ pages, link }) {
  pages.allow("401", "400");
  const stranger = await pages.visit("/logs?q=hello", { bypassCSP: true });
  await asked(stranger);
  equal(await violations(stranger), [], "the question who one is");

  const page = await pages.visit(`/#set-up=${link}`, { bypassCSP: true });
  await page.getByRole("heading", { name: "Set up the first administrator" }).waitFor();
  equal(await violations(page), [], "setting up");
  await say(page, "alice", "password1234");
  await page.getByRole("alert").filter({ hasText: "easy to guess" }).waitFor();
  await page.getByLabel("New password").fill("");
  await page.getByRole("textbox", { name: "User name" }).fill("");
  await say(page, "alice", PASSWORD);
  await inside(page);
  assert(!page.url().includes("lkl_"), "the link is out of the address");
  await page.reload();
  await inside(page);

  await page.getByRole("button", { name: "Sign out (alice)" }).click();
  await asked(page);
  await page.reload();
  await asked(page);

  await say(page, "alice", "not the one");
  await page.getByRole("alert").filter({ hasText: "That is not right" }).waitFor();
  await page.getByLabel("Password").fill("");
  await page.getByRole("textbox", { name: "User name" }).fill("");
  await say(page, "alice", PASSWORD);
  await inside(page);

  await say(stranger, "Alice", PASSWORD);
  await inside(stranger);
  equal(new URL(stranger.url()).searchParams.get("q"), "hello", "where the stranger wanted to go");
}

async function aSessionThatEndsElsewhereEndsHere({ pages, url }) {
  pages.allow("401");
  const [here, there] = [await pages.visit("/logs"), await pages.visit("/logs")];
  for (const page of [here, there]) {
    await asked(page);
    await say(page, "alice", PASSWORD);
    await inside(page);
  }
  await here.locator("#search").focus();
  const answer = await there.request.get(`${url}/api/v1/sessions`);
  const latest = (await answer.json()).sessions.sort((a, b) => (a.created < b.created ? 1 : -1));
  const ended = await there.request.delete(`${url}/api/v1/sessions/${latest[1].id}`);
  equal(ended.status(), 200, "ending the one that began before this one");
  // Not by the field: whatever else the page asks for meanwhile may be what takes it away.
  await here.keyboard.type("anything");
  await here.keyboard.press("Enter");
  await asked(here);
}

export const signIn = [
  ["setting up, signing out and in", setsUpSignsOutAndIn],
  ["a session that ends elsewhere ends here", aSessionThatEndsElsewhereEndsHere],
];
