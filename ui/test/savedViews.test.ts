import { describe, expect, it } from "vitest";
import type { SavedView } from "../src/api/types";
import { addressToSave, found, isOwnPage, pageOf } from "../src/lib/savedViews";

describe("the address that is saved", () => {
  const check = (pathname: string, search: string, expected: string) => it(expected, () => expect(addressToSave({ pathname, search })).toBe(expected));
  check("/logs", "", "/logs");
  check("/logs", "?q=a+b&record=default.1.2&tail=0", "/logs?q=a+b");
  check("/logs", "?q=%27x%27\\`|", "/logs?q=%27x%27%5C%60%7C");
});

describe("a page of the console", () => {
  for (const good of ["/", "/logs", "/logs?q=//evil", "/?from=-1h", "/traces/ab/compare/cd", "/compare?with=rest", "/services?view=map", "/sources", "/sql?sql=select+1"]) it(good, () => expect(isOwnPage(good)).toBe(true));
  for (const bad of ["", "//evil.example", "javascript:alert(1)", "https://x/logs", "/api/v1/logs", "/logs/../x", "/people", "/traces/../x", "/logsx", "/\\evil", "/map", "/sqlx"]) {
    it(`not ${bad}`, () => expect(isOwnPage(bad)).toBe(false));
  }
});

it("is found by words of its name, what it is for and who saved it", () => {
  const views = [{ name: "Errors", description: "on call", owner: "ada" }, { name: "Slow", description: "", owner: "eve" }] as SavedView[];
  const names = (text: string) => found(views, text).map(({ name }) => name);
  expect([names(""), names("ADA err"), names("call"), names("eve call")]).toEqual([["Errors", "Slow"], ["Errors"], ["Errors"], []]);
});

it("says which page it is of", () => expect(["/", "/?x=1", "/traces/ab", "/logs?q=x"].map(pageOf)).toEqual(["overview", "overview", "traces", "logs"]));
