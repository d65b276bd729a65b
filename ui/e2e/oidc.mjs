/** Signing in at a provider of OpenID Connect, `LOGKEEP_PROVIDER`, which takes any password and has a group for whoever begins with `dev`. */
import { violations } from "./accessible.mjs";
import { equal } from "./harness.mjs";
import { inside } from "./signin.mjs";

/** Up to the provider and through its two pages, by keyboard. */
async function through(page, provider, user) {
  const link = page.getByRole("link", { name: "Sign in with Example" });
  await link.waitFor();
  equal(await violations(page), [], "the offer of a provider");
  await link.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(`${provider}/**`);
  await page.locator("input[name=login]").focus();
  await page.keyboard.type(user);
  await page.keyboard.press("Tab");
  await page.keyboard.type("anything");
  await page.keyboard.press("Enter");
  await page.locator("form[action*=interaction] button").filter({ hasText: "Continue" }).press("Enter");
}

async function signsInAtTheProvider({ pages, provider }) {
  pages.allow("401", "404", "ERR_FAILED");
  pages.allowHost(provider);
  const page = await pages.visit("/logs?q=hello", { bypassCSP: true });
  await through(page, provider, "dev-jane");
  await inside(page);
  equal(new URL(page.url()).searchParams.get("q"), "hello", "where she wanted to go");
  await page.reload();
  await inside(page);
  await page.getByRole("link", { name: "dev-jane" }).press("Enter");
  await page.getByText("You are signed in as dev-jane: analyst.").waitFor();
  equal(await page.getByRole("form", { name: "Second factor" }).count(), 0, "that is the provider's");
  equal(await violations(page), [], "the account of somebody from a provider");
  await page.getByRole("button", { name: "Sign out (dev-jane)" }).press("Enter");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

async function whoIsInNoGroupIsTold({ pages, provider }) {
  pages.allow("401", "404", "ERR_FAILED");
  pages.allowHost(provider);
  const page = await pages.visit("/", { bypassCSP: true });
  await through(page, provider, "guest");
  await page.getByRole("alert").filter({ hasText: "none of your groups" }).waitFor();
  equal(await violations(page), [], "a refusal");
}

export const oidc = [
  ["signs in at a real provider, and out", signsInAtTheProvider],
  ["says why somebody without a group is not let in", whoIsInNoGroupIsTold],
];
