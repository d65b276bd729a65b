import { describe, expect, it } from "vitest";
import type { Field, Json } from "../src/api/types";
import { examples } from "../src/lib/examples";

const field = (name: string, types: string[], count: number, ...values: Json[]): Field => ({ name, types, count, top: values.map((value) => ({ value, count: 1 })) }) as Field;
const shown = (...fields: Field[]) => Object.fromEntries(examples(fields).map(([query, lesson]) => [lesson, query]));

describe("examples of the language", () => {
  it("are of one's own fields", () => {
    const own = shown(
      field("severity", ["string"], 90, "info", "error"), field("service.name", ["string"], 100, "pay ment", "web"), field("url.path", ["string"], 40, "/v1/carts/7"),
      field("rows", ["int"], 30, 12), field("error.message", ["string"], 5, 'card "x" refused', "timed out waiting"),
    );
    expect(own).toEqual({
      text: "card", phrase: '"pay ment"', field: 'service.name:"pay ment"', out: 'not service.name:"pay ment"', any: 'service.name:("pay ment" or web)', wildcard: "url.path:/v1*", exists: "url.path:*",
      range: "rows>=12", either: "severity:error or rows>=12", group: '(severity:error or rows>=12) and not service.name:"pay ment"',
    });
  });
  it("ask spans for what spans have", () => expect(shown(field("span.status.code", ["string"], 9, "ok")).either).toBe("span.status.code:error or http.response.status_code>=500"));
  it("are there without any field too", () => {
    expect(shown()).toMatchObject({ text: "timeout", phrase: '"connection refused"', field: "service.name:checkout", exists: "trace_id:*", range: "http.response.status_code>=500" });
    expect(Object.keys(shown())).not.toContain("any");
  });
  it("hold no value that is long, and none that would end a phrase", () => {
    const own = shown(field("service.name", ["string"], 9, "x".repeat(500)), field("note", ["string"], 9, 'said "so" once'), field("text", ["string"], 9, 'so "it" is'));
    for (const query of Object.values(own)) expect(query.length).toBeLessThan(200);
    expect(own.phrase).toBe('"connection refused"');
  });
});
