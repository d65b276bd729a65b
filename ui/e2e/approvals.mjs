/** What takes two people, and breaking the glass, by keyboard, after `people.mjs`. */
import { violations } from "./accessible.mjs";
import { equal } from "./harness.mjs";
import { button, field, form, press, type } from "./account.mjs";
import { OTHER, choose, people, row, theLink } from "./people.mjs";
import { PASSWORD, asked, say } from "./signin.mjs";

async function approvals(pages, who, text, options) {
  const page = await pages.visit("/approvals", { bypassCSP: true, reducedMotion: "reduce", ...options });
  await asked(page);
  await say(page, who, text);
  await page.getByRole("heading", { name: "Approvals", exact: true }).waitFor();
  return page;
}

async function twoPeople({ pages }) {
  pages.allow("401");
  const page = await people(pages);
  const add = form(page, "Add somebody");
  await type(page, field(add, "User name"), "carol");
  await add.getByRole("checkbox", { name: "administrator" }).press("Space");
  await press(button(add, "Add somebody"));
  await choose(pages, await theLink(page), PASSWORD);

  await press(button(page, "Change bob"));
  const change = form(page, "Change bob");
  await change.getByRole("checkbox", { name: "break-glass" }).press("Space");
  await press(button(change, "Save"));
  const waits = page.getByRole("status", { name: "It is not done yet" });
  await waits.waitFor();
  equal(await violations(page), [], "something that is not done yet");
  await press(waits.getByRole("link", { name: "Approvals" }));
  await row(page, "Waiting for a second person", "users/bob").waitFor();
  equal(await button(page, "Approve").count(), 0, "ways to approve one's own");

  const carol = await approvals(pages, "carol", PASSWORD, { colorScheme: "dark" });
  const theirs = row(carol, "Waiting for a second person", "users/bob: enabled, analyst, auditor, break-glass");
  await press(theirs.getByText("In full"));
  await theirs.getByText('"act":"set_user"').waitFor();
  equal(await violations(carol), [], "deciding, in the dark");
  await press(button(theirs, "Approve"));
  await press(button(theirs, "Really approve it"));
  await carol.getByText("Nothing waits.").waitFor();
  await page.reload();
  await page.getByText("Nothing waits.").waitFor();
}

async function emergency({ pages }) {
  pages.allow("401");
  const bob = await approvals(pages, "bob", OTHER);
  const breaking = form(bob, "Break the glass");
  equal(await violations(bob), [], "before the glass is broken");
  await type(bob, field(breaking, "Reason"), "the store is on fire");
  await press(button(breaking, "Break the glass"));
  await bob.getByText("You have broken the glass").waitFor();
  await row(bob, "The glass was broken", "it lasts").waitFor();
  await press(button(bob, "End it"));
  await press(button(bob, "Really end it"));
  await breaking.waitFor();
  equal(await button(bob, "Review").count(), 0, "ways to review one's own");

  const carol = await approvals(pages, "carol", PASSWORD);
  const broken = row(carol, "The glass was broken", "the store is on fire");
  await press(button(broken, "Review"));
  const review = form(carol, "Review of what bob did");
  await review.waitFor();
  equal(await violations(carol), [], "reviewing");
  await type(carol, field(review, "What you have found"), "it did burn");
  await carol.keyboard.press("Enter");
  await broken.filter({ hasText: "reviewed by carol: it did burn" }).waitFor();
}

export const approvalJourneys = [
  ["approvals: two people", twoPeople],
  ["approvals: breaking the glass", emergency],
];
