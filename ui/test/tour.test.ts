import { describe, expect, it } from "vitest";
import { TOUR, isThere, parseProgress } from "../src/lib/tour";
import { t } from "../src/strings";

describe("the tour", () => {
  const check = (text: string | null, expected: string) => it(`reads ${JSON.stringify(text)}`, () => {
    const { state, step } = parseProgress(text);
    expect(`${state} ${step}`).toBe(expected);
  });
  check(null, "unasked 0");
  check("", "unasked 0");
  check("left 3", "left 3");
  check("on 8", "on 8");
  check("on 9", "on 0");
  check("on -1", "on 0");
  check("on 1.5", "on 0");
  check("gone 3", "unasked 0");
  it("has words for each step, and no more", () => expect(Object.keys(t.tour.steps)).toEqual(TOUR.map(({ id }) => id)));
  it("knows the page of a step whatever is chosen there", () => {
    const there = (id: string, path: string) => isThere(TOUR.find((step) => step.id === id)!, path);
    expect([there("changes", "/"), there("changes", "/overview"), there("changes", "/logs"), there("map", "/services"), there("record", "/logs"), there("record", "/")]).toEqual([true, true, false, true, true, false]);
  });
});
