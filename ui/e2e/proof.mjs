/** Proofs of records, verified in the browser. Only a real server gives proofs that hold; the mock gives one of another record. */
import { readFileSync } from "node:fs";
import { violations } from "./accessible.mjs";
import { assert, equal, ingest, rowCount, some } from "./harness.mjs";

const panel = (page) => page.getByRole("complementary", { name: "Record" });
const section = (page) => panel(page).getByRole("region", { name: "Proof" });
const unfold = (page) => section(page).getByRole("button", { name: "Proof", exact: true }).click();
const outcomes = (page) => section(page).locator(".proof-steps li").evaluateAll((items) => items.map((item) => item.dataset.outcome));

/** The details of the first record, before anybody asked for its proof. */
async function record(pages, query) {
  const page = await pages.visit(`/logs?tail=0&q=${query}`);
  await page.locator(".log-row").first().click();
  await section(page).waitFor();
  return page;
}

/** Asks, and asks again as a person would, until a checkpoint covers the record. */
async function sealed(page) {
  await unfold(page);
  const verify = section(page).getByRole("button", { name: "Verify" });
  const again = section(page).getByRole("button", { name: "Ask again" });
  while (!(await verify.isVisible())) {
    await verify.or(again).first().waitFor();
    if (await again.isVisible()) await again.click().catch(() => {});
  }
  return verify;
}

async function verifies({ pages, url, token }) {
  const word = `${token}proof`;
  await ingest(url, some(word, 9));
  const asked = [];
  const page = await record(pages, word);
  await rowCount(page, 9);
  page.on("request", (request) => { if (request.url().endsWith("/proof")) asked.push(request.url()); });
  equal(asked.length, 0, "requests before it is unfolded");
  const verify = await sealed(page);
  assert(asked.length > 0, "it is asked for when it is unfolded");
  await verify.click();
  await section(page).getByText("Verified in this browser").waitFor();
  equal(await outcomes(page), Array(6).fill("held"), "the steps");
  equal(await violations(page), [], "accessibility");
  const [file] = await Promise.all([page.waitForEvent("download"), section(page).getByRole("button", { name: "Download proof" }).click()]);
  const saved = JSON.parse(readFileSync(await file.path(), "utf8"));
  equal(file.suggestedFilename(), `proof-${saved.id}.json`, "the name of the file");
  const given = await (await fetch(`${url}/api/v1/logs/${saved.id}/proof`)).json();
  equal([saved.record, saved.batch, saved.leaf, saved.key], [given.record, given.batch, given.leaf, given.key], "what is saved");
}

async function noticesAlteration({ pages, url, token }) {
  const word = `${token}alter`;
  await ingest(url, some(word, 2));
  const page = await record(pages, word);
  await page.route("**/proof", async (route) => {
    const response = await route.fetch();
    const proof = await response.json();
    if (proof.state === "sealed") proof.record.groups[2].bytes = btoa("\u0005\u0004\u0000\u0000\u0000paid\u0000");
    await route.fulfill({ response, json: proof });
  });
  await (await sealed(page)).click();
  await section(page).getByText("Not verified").waitFor();
  equal(await outcomes(page), ["failed", "failed", "failed", "held", "held", "held"], "the steps");
  await section(page).getByText(/proven bytes say: body/).waitFor();
}

async function saysWhatItCannot({ pages, url, token }) {
  const word = `${token}old`;
  await ingest(url, some(word, 1));
  const page = await record(pages, word);
  await page.evaluate(() => { crypto.subtle.importKey = () => Promise.reject(new DOMException("", "NotSupportedError")); });
  await (await sealed(page)).click();
  await section(page).getByText("Not everything could be checked").waitFor();
  equal(await outcomes(page), ["held", "held", "held", "held", "held", "unchecked"], "the steps");
}

async function isOfAnother({ pages }) {
  const page = await record(pages, "");
  await unfold(page);
  await section(page).getByRole("button", { name: "Verify" }).click();
  await section(page).getByText("Not verified").waitFor();
}

export const proofJourneys = [
  ["a record is proven in the browser, and its proof saved", verifies],
  ["an altered proof is noticed", noticesAlteration],
  ["a browser without Ed25519 says so", saysWhatItCannot],
];

export const proofStates = [["a proof of another record is none of this one", isOfAnother]];
