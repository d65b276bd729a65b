import { describe, expect, it } from "vitest";
import { url } from "../src/api/client";
import type { Pattern, PatternsAnswer } from "../src/api/types";
import {
  askedBy, barPath, changeOf, chosenService, formatPatterns, found, hasBefore, isPatternsStep, momentOf, moodOf, onlyNew, parsePatterns, patternLogs, patternsAddress, rangeOf, servicesOf, sorted, templateOf, withService,
  withValue, type PatternsView,
} from "../src/lib/patterns";
import { isTemplateId, kindOf, likeness, parts, surroundings } from "../src/lib/template";

const HOSTILE = 'a <num> & <*> +1 100% "x" \\<num> =#? \u202e\u0007 😀 <...>';

const pattern = (patch: Partial<Pattern> = {}): Pattern => ({
  id: "4e10642a6027ac78", template: "order <num> placed", count: 10, before: 10, severity: { info: 10 }, services: [{ service: "web", count: 10 }], more_services: 0,
  first_ns: "1", last_ns: "2", first_seen_ns: "1", series: [4, 6], example: null, ...patch,
});
const view = (patch: Partial<PatternsView> = {}): PatternsView => ({ ...parsePatterns(""), ...patch });

describe("a template's text in parts", () => {
  const check = (text: string, expected: (string | [string])[]) =>
    it(text, () => expect(parts(text).map(({ text: piece, kind }) => (kind === null ? piece : [piece]))).toEqual(expected));
  check("server started", ["server started"]);
  check("order <num> placed by u-<num>", ["order ", ["<num>"], " placed by u-", ["<num>"]]);
  check("<*> joined <...>", [["<*>"], " joined ", ["<...>"]]);
  check("a <b> tag, <number>, <NUM>", ["a <b> tag, <number>, <NUM>"]);
  check("<script>alert(<num>)<<path>>", ["<script>alert(", ["<num>"], ")<", ["<path>"], ">"]);
  check("usage: \\<num> [\\<path>] <num>", ["usage: <num> [<path>] ", ["<num>"]]);
  check("one backslash: \\\\<num>", ["one backslash: \\", ["<num>"]]);
  check("and a mark: \\\\\\<num>", ["and a mark: \\<num>"]);
  check("C:\\dir\\x", ["C:\\dir\\x"]);
  check("", []);
  it("knows kinds by their marks", () => expect([kindOf("<num>"), kindOf("<...>"), kindOf("<other>"), kindOf("num")]).toEqual(["num", "...", null, null]));
});

it("each variable has what stands around it, and what follows at the end is none", () => {
  expect(surroundings("order <num> by <*>/<path> <...>")).toEqual([{ before: "order ", after: " by " }, { before: " by ", after: "/" }, { before: "/", after: " " }]);
  expect(surroundings(`<num> ${"x".repeat(99)}`)).toEqual([{ before: "", after: ` ${"x".repeat(23)}…` }]);
  expect(surroundings(`${"x".repeat(99)}<num>`)).toEqual([{ before: `…${"x".repeat(24)}`, after: "" }]);
});

it("tells ids from texts as the server does", () => {
  expect(["4e10642a6027ac78", "4E10642A6027AC78", "4e10642a6027ac7", "4e10642a6027ac780", "server started!!", ""].map(isTemplateId)).toEqual([true, true, false, false, false, false]);
});

describe("how much of a line a template accounts for", () => {
  const check = (template: string, line: string, expected: number) => it(`${template} / ${line}`, () => expect(likeness(template, line)).toBe(expected));
  check("server started", "server started", 14);
  check("order <num> placed", "order 7   placed", 11);
  check("order <num> placed", "order 7 refused", -1);
  check("placed <num> order", "order 7 placed", -1);
  check("<*> joined", "ann joined", 6);
  check("<...>", "anything", 0);
  check("usage \\<num>", "usage <num>", 11);
});

describe("the address", () => {
  it("goes there and back", () => {
    for (const one of [view(), view({ q: "a & b", from: "-7d" }), view({ show: "new", sort: "change", turned: true }), view({ sort: "count", turned: true }), view({ find: "<num> +&", open: HOSTILE })]) {
      expect(parsePatterns(formatPatterns(one))).toEqual(one);
    }
    expect(parsePatterns("?show=some&sort=size.turned&from=never")).toEqual(view({ turned: true }));
    expect(formatPatterns(view())).toBe("");
    expect(patternsAddress({ open: "x y" })).toBe("/patterns?open=x+y");
  });

  it("is a step back for another question or opened details, not for sorting, finding, or the next one", () => {
    for (const patch of [{ q: "x" }, { from: "-1h" }, { show: "gone" as const }, { open: "a" }]) expect(isPatternsStep(view(), view(patch))).toBe(true);
    for (const patch of [{ sort: "first" as const }, { turned: true }, { find: "x" }]) expect(isPatternsStep(view(), view(patch))).toBe(false);
    expect(isPatternsStep(view({ open: "a" }), view({ open: "b" }))).toBe(false);
  });

  it("carries any text to the server as it is", () => {
    const asked = new URL(url("/logs", { template: HOSTILE }), "http://localhost").searchParams.get("template");
    expect(asked).toBe(HOSTILE);
    const list = new URL(patternLogs(pattern({ id: null, template: HOSTILE }), view(), undefined), "http://localhost");
    expect([list.pathname, list.searchParams.get("template")]).toEqual(["/logs", HOSTILE]);
  });
});

describe("what became of a template", () => {
  const check = (count: number, before: number, expected: string) =>
    it(`${before} to ${count}`, () => {
      const change = changeOf({ count, before });
      expect(change.kind + ("times" in change ? ` ${change.times}` : "")).toBe(expected);
    });
  check(1, 0, "new");
  check(0, 9, "gone");
  check(10, 10, "same");
  check(4, 1, "same");
  check(90, 30, "more 3");
  check(30, 10, "same");
  check(30, 90, "less 3");
  check(1000, 100, "more 10");
  // More than chance, and not worth a word.
  check(110_000, 100_000, "same");
});

it("sorts by count, by change from new to gone, and by first seen", () => {
  const of = (template: string, count: number, before: number, seen: string | null) => pattern({ template, count, before, first_seen_ns: seen });
  const all = [of("less", 10, 100, "3"), of("new", 5, 0, "9"), of("gone", 0, 50, "1"), of("more", 90, 10, "5"), of("same", 60, 60, "4"), of("live", 7, 0, null)];
  const names = (...how: [Parameters<typeof sorted>[1], boolean]) => sorted(all, ...how).map(({ template }) => template).join(" ");
  expect(names("count", false)).toBe("more same gone less live new");
  expect(names("count", true)).toBe("new live less gone same more");
  expect(names("change", false)).toBe("live new more same less gone");
  expect(names("change", true)).toBe("gone less same more new live");
  expect(names("first", false)).toBe("live new more same less gone");
  expect(all[0]!.template).toBe("less");
});

it("finds by text, whatever its case", () => {
  const all = [pattern(), pattern({ template: "Server started" })];
  expect(found(all, " SERVER ").map(({ template }) => template)).toEqual(["Server started"]);
  expect(found(all, "<num>")).toHaveLength(1);
  expect(found(all, "")).toHaveLength(2);
});

describe("an answer", () => {
  const answer = (patch: Partial<PatternsAnswer>): PatternsAnswer => ({ templates: 2, new: 1, gone: 0, more: 0, patterns: [pattern(), pattern({ before: 0 })], ...patch }) as PatternsAnswer;
  it("has all that is new unless it was cut", () => {
    expect(onlyNew(answer({}))).toHaveLength(1);
    expect(onlyNew(answer({ more: 1 }))).toBeNull();
  });
  it("can be compared if anything came before", () => {
    expect(hasBefore(answer({}))).toBe(true);
    expect(hasBefore(answer({ new: 2 }))).toBe(false);
    expect(hasBefore(answer({ new: 2, gone: 1 }))).toBe(true);
  });
});

describe("services", () => {
  it("are summed over templates, the most frequent first, and bounded", () => {
    const all = [pattern({ services: [{ service: "a", count: 1 }, { service: "b", count: 5 }] }), pattern({ services: [{ service: "a", count: 2 }, { service: "c", count: 3 }] })];
    expect(servicesOf(all, 9).map(({ service, count }) => `${service} ${count}`)).toEqual(["b 5", "a 3", "c 3"]);
    expect(servicesOf(all, 1)).toHaveLength(1);
  });

  const check = (q: string, chosen: string | null, without: string) =>
    it(`in ${q}`, () => expect([chosenService(q), withService(q, null)]).toEqual([chosen, without]));
  check("", null, "");
  check("service.name:web", "web", "");
  check("error and service.name:web and x:1", "web", "error and x:1");
  check('service.name:"a \\"b\\" \\\\ c"', 'a "b" \\ c', "");
  check("not service.name:web", null, "not service.name:web");
  check("service.name:web or x", null, "service.name:web or x");
  check("service.name:we*", null, "service.name:we*");

  it("take the place of each other", () => {
    expect(withService("x and service.name:web", "cart")).toBe("x and service.name:cart");
    expect(withService("a or b", "cart")).toBe("(a or b) and service.name:cart");
    expect(chosenService(withService("x", 'we "b\n'))).toBe('we "b\n');
  });
});

describe("the logs of a template", () => {
  const bounds = { from_ns: "1795168800000000000", to_ns: "1795172400000000000" };
  it("are of the range on screen, with the search", () => {
    expect(patternLogs(pattern(), view({ q: "x", from: "-1h" }), bounds)).toBe("/logs?q=x&from=-1h&template=4e10642a6027ac78");
    expect(patternLogs(pattern(), view({ q: "x", from: "-1h" }), bounds, { record: "default.1.2", q: "y" })).toBe("/logs?q=y&from=-1h&template=4e10642a6027ac78&record=default.1.2");
  });
  it("are of the time before, if it is gone", () => {
    expect(rangeOf({ count: 1 }, bounds)).toEqual({ from: "2026-11-20T10:00:00Z", to: "2026-11-20T11:00:00Z" });
    expect(rangeOf({ count: 0 }, bounds)).toEqual({ from: "2026-11-20T09:00:00Z", to: "2026-11-20T10:00:00Z" });
    expect(patternLogs(pattern({ count: 0 }), view({ from: "-1h" }), bounds)).toBe("/logs?from=2026-11-20T09%3A00%3A00Z&to=2026-11-20T10%3A00%3A00Z&template=4e10642a6027ac78");
  });
  it("are found by text where there is no id", () => expect(askedBy(pattern({ id: null }))).toBe("order <num> placed"));
  it("are narrowed by a value as a phrase", () => expect(withValue("a or b", 'x "y"')).toBe('(a or b) and "x \\"y\\""'));
});

describe("the template of a record", () => {
  const at = (template: string, id: string | null = null) => pattern({ template, example: id === null ? null : { id, body: "" } });
  const all = [at("order <num> placed", "default.1.1"), at("order <num> placed by <*>"), at("<*> joined", "default.1.3")];
  const check = (id: string, body: string, expected: string | null) => it(body, () => expect(templateOf({ id, body }, all)?.template ?? null).toBe(expected));
  check("default.1.3", "of which it is the example", "<*> joined");
  check("default.1.9", "order 7 placed by ann", "order <num> placed by <*>");
  check("default.1.9", "order 7 placed", "order <num> placed");
  check("default.1.9", "another line", null);
  it("has none if it is no text", () => expect(templateOf({ id: "default.1.1", body: { a: 1 } }, all)).toBeNull());
  it("is looked for at its moment, in its service", () => {
    const time_ns = "1795168800000000007";
    expect(momentOf({ time_ns, resource: [["service.name", "a b"]] })).toEqual({ q: 'service.name:"a b"', from: "2026-11-20T10:00:00.000000007Z", to: "2026-11-20T10:00:00.000000008Z" });
    expect(momentOf({ time_ns, resource: [] }).q).toBe("");
  });
});

describe("a chart", () => {
  it("has a bar for each part that has any, tall enough to be seen", () => {
    expect(barPath([0, 100, 1], 30, 10)).toBe("M10 10v-10h9V10zM20 10v-0.8h9V10z");
    expect(barPath([], 30, 10)).toBe("");
  });
  it("is red if most of them are errors", () => {
    expect(moodOf({ severity: { error: 3, info: 2 } })).toBe("error");
    expect(moodOf({ severity: { error: 1, fatal: 1, info: 1 } })).toBe("error");
    expect(moodOf({ severity: { error: 1, warn: 1, info: 1 } })).toBe("warn");
    expect(moodOf({ severity: { info: 1 } })).toBe("info");
    expect(moodOf({ severity: {} })).toBe("info");
  });
});
