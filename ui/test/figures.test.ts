import { expect, it } from "vitest";
// @ts-expect-error It is a script without types.
import { broken, figuresOf, percentile, table } from "../bench/figures.mjs";

it("takes percentiles by nearest rank", () => {
  const values = Array.from({ length: 40 }, (_, i) => 40 - i);
  expect([percentile(values, 0.5), percentile(values, 0.95), percentile(values, 1), percentile([7], 0.5), percentile([3, 1], 0.5)]).toEqual([20, 38, 40, 7, 1]);
});

it("says what is beyond its limit, by the 95th percentile and not by the slowest", () => {
  const once = figuresOf({ name: "slow once", limit: 100, values: [...Array.from({ length: 39 }, () => 10), 900] });
  const often = figuresOf({ name: "slow often", limit: 100, values: [10, 900] });
  const free = figuresOf({ name: "without a limit", values: [9000] });
  expect(broken([once, often, free]).map(({ name }: { name: string }) => name)).toEqual(["slow often"]);
  expect(table([once, often, free])).toMatchInlineSnapshot(`
    "interaction       n   p50    p95    max  limit
    slow once        40  10.0   10.0  900.0    100  ms
    slow often        2  10.0  900.0  900.0    100  ms  BROKEN
    without a limit   1  9000   9000   9000         ms"
  `);
});
