/** What an administrator does to people, by keyboard, after `account.mjs`. */
import { violations } from "./accessible.mjs";
import { equal } from "./harness.mjs";
import { app, button, field, form, password, press, type, visitAccount } from "./account.mjs";
import { PASSWORD, asked, inside, say } from "./signin.mjs";

export const OTHER = "copper lantern oboe thirty";

export async function people(pages, options) {
  const page = await visitAccount(pages, options);
  await press(page.getByRole("link", { name: "People" }));
  await page.getByRole("heading", { name: "People", exact: true }).waitFor();
  return page;
}

export const row = (page, region, text) => page.getByRole("region", { name: region }).getByRole("row").filter({ hasText: text });

export async function theLink(page) {
  const shown = page.locator(".once pre");
  await shown.waitFor();
  equal(await violations(page), [], "a link that is shown");
  const link = new URL(await shown.innerText());
  await press(button(page, "I have kept it"));
  return link.pathname + link.hash;
}

export async function choose(pages, link, text) {
  const page = await pages.visit(link, { bypassCSP: true });
  await page.getByRole("heading", { name: "Choose your password" }).waitFor();
  equal(await violations(page), [], "choosing a password");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
  await asked(page);
  return page;
}

async function addsByLink({ pages }) {
  pages.allow("401", "400", "403");
  const page = await people(pages);
  equal(await violations(page), [], "people");
  const add = form(page, "Add somebody");
  await type(page, field(add, "User name"), "Bob");
  await add.getByRole("checkbox", { name: "analyst" }).press("Space");
  await press(button(add, "Add somebody"));
  const link = await theLink(page);
  await row(page, "Users", "bob").filter({ hasText: "has not chosen a password yet" }).waitFor();

  const bob = await choose(pages, link, PASSWORD);
  await say(bob, "bob", PASSWORD);
  await inside(bob);
  equal(await bob.request.get(new URL("/api/v1/users", page.url()).href).then((answer) => answer.status()), 403, "bob manages nobody");
  const late = await pages.visit(link, { bypassCSP: true });
  await late.getByRole("heading", { name: "Choose your password" }).waitFor();
  await late.keyboard.type(OTHER);
  await late.keyboard.press("Enter");
  await late.getByRole("alert").filter({ hasText: "That is not right" }).waitFor();
}

async function changesAndResets({ pages }) {
  pages.allow("401", "409");
  const bob = await pages.visit("/account", { bypassCSP: true });
  await asked(bob);
  await say(bob, "bob", PASSWORD);
  await bob.getByText("You are signed in as bob: analyst.").waitFor();
  equal(await bob.getByRole("link", { name: "People" }).count(), 0, "the way to people");
  equal(await bob.getByRole("link", { name: "Audit trail" }).count(), 0, "the way to the audit trail");
  await type(bob, password(form(bob, "Second factor")), PASSWORD);
  await bob.keyboard.press("Enter");
  const code = await app(await bob.locator(".secret").innerText());
  await bob.keyboard.type(code(0));
  await bob.keyboard.press("Enter");
  await press(button(bob, "I have kept it"));

  const page = await people(pages, { colorScheme: "dark" });
  await press(button(page, "Change bob"));
  const change = form(page, "Change bob");
  await change.waitFor();
  equal(await violations(page), [], "changing somebody, in the dark");
  await press(button(change, "Reset the second factor"));
  await press(button(change, "Really reset it"));
  await change.waitFor({ state: "detached" });
  await bob.reload();
  await asked(bob);
  await say(bob, "bob", PASSWORD);
  await bob.getByText("You are signed in as bob: analyst.").waitFor();

  await press(button(page, "Change bob"));
  await press(button(change, "Link for a new password"));
  await press(button(change, "Really make a link"));
  await choose(pages, await theLink(page), OTHER);
  await bob.reload();
  await asked(bob);
  await say(bob, "bob", OTHER);
  await bob.getByText("You are signed in as bob: analyst.").waitFor();

  await press(button(page, "Change bob"));
  await change.getByRole("checkbox", { name: "auditor" }).press("Space");
  await press(button(change, "Save"));
  await row(page, "Users", "bob").filter({ hasText: "analyst, auditor" }).waitFor();
  await bob.reload();
  await asked(bob);

  await press(button(page, "Change alice"));
  const own = form(page, "Change alice");
  await own.getByRole("checkbox", { name: "administrator" }).press("Space");
  await press(button(own, "Save"));
  await own.getByRole("alert").filter({ hasText: "the only administrator" }).waitFor();
  await press(button(own, "Cancel"));
}

async function revokes({ pages, url }) {
  pages.allow("401");
  const bob = await pages.visit("/account", { bypassCSP: true });
  await asked(bob);
  await say(bob, "bob", OTHER);
  const make = form(bob, "Make a token");
  await type(bob, field(make, "What it is for"), "bobs");
  await make.getByRole("checkbox", { name: "auditor" }).press("Space");
  await press(button(make, "Make a token"));
  await bob.locator(".once pre").waitFor();
  const token = await bob.locator(".once pre").innerText();
  const status = async () => (await fetch(`${url}/api/v1/users`, { headers: { authorization: `Bearer ${token}` } })).status;
  equal(await status(), 200, "the token of an auditor");

  const page = await people(pages);
  for (const region of ["Tokens", "Sessions"]) {
    const theirs = row(page, region, "bob").first();
    await press(button(theirs, "End"));
    await press(button(theirs, "Really end it"));
    await row(page, region, "bob").waitFor({ state: "detached" });
  }
  equal(await status(), 401, "the token after its end");
  await bob.reload();
  await asked(bob);
  await say(bob, "bob", OTHER);
  await press(bob.getByRole("link", { name: "People" }));
  await row(bob, "Users", "alice").waitFor();
  equal(await bob.getByRole("button", { name: /^(Change|End)/ }).count(), 0, "an auditor changes nothing");
}

export const peopleJourneys = [
  ["people: adding by link", addsByLink],
  ["people: changing, resetting", changesAndResets],
  ["people: ending tokens and sessions", revokes],
];
