import { readFileSync, readdirSync, statSync } from "node:fs";
import { expect, it } from "vitest";

const GUIDE = new URL("../../docs/guide/", import.meta.url);
const MOST_BYTES = 1_000_000;

it("the tour of the guide has its pictures, no others, and they are small", () => {
  const text = readFileSync(new URL("tour.md", GUIDE), "utf8");
  const named = [...text.matchAll(/!\[[^\]]+\]\(images\/([^)]+)\)/g)].map((match) => match[1]!);
  const kept = readdirSync(new URL("images/", GUIDE));
  expect(named.sort()).toEqual(kept.sort());
  expect(named.length).toBeGreaterThan(5);
  const sizes = kept.map((name) => statSync(new URL(`images/${name}`, GUIDE)).size);
  expect(Math.min(...sizes)).toBeGreaterThan(1000);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES);
});
