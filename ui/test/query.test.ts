import { describe, expect, it } from "vitest";
import {
  addClause, caretContext, clauseFor, clauses, joinClauses, negate, quote, removeClause, toggleClause, tokenize, unquote, utf16Offset,
} from "../src/lib/query";

describe("clauses", () => {
  const check = (q: string, expected: string[]) => it(q || "(empty)", () => expect(clauses(q)).toEqual(expected));
  check("", []);
  check("   ", []);
  check("a", ["a"]);
  check("a and b", ["a", "b"]);
  check("a AND b", ["a", "b"]);
  check("a b", ["a", "b"]);
  check("a or b", ["a or b"]);
  check("service.name:web and status>=500", ["service.name:web", "status>=500"]);
  check("status >= 500 x", ["status >= 500", "x"]);
  check('field:"a and b" c', ['field:"a and b"', "c"]);
  check("not a and b", ["not a", "b"]);
  check("not (a or b) and c", ["not (a or b)", "c"]);
  check("(a or b) c", ["(a or b)", "c"]);
  check("f:(a or b) and c", ["f:(a or b)", "c"]);
  check('"open quote and', ['"open quote and']);
  check("((a", ["((a"]);
  check("a )", ["a )"]);
  check("status:[500 to 599] and not path:/healthz", ["status:[500 to 599]", "not path:/healthz"]);
  check("a:{1 to *] b", ["a:{1 to *]", "b"]);
  check("a && b", ["a", "b"]);
  check("a || b", ["a || b"]);
  check("severity>=warn -service:(loadgen or probe) /timeout after \\d+ms/", ["severity>=warn", "-service:(loadgen or probe)", "/timeout after \\d+ms/"]);
  check("-(a or b) c", ["-(a or b)", "c"]);
  check("f:/^a b$/ c", ["f:/^a b$/", "c"]);
  check("http://host:80/x y", ["http://host:80/x", "y"]);
  check("[main] x", ["[main]", "x"]);
  check("a] b", ["a]", "b"]);
});

describe("addClause", () => {
  const check = (q: string, clause: string, expected: string) =>
    it(`${q} + ${clause}`, () => expect(addClause(q, clause)).toBe(expected));
  check("", "a:1", "a:1");
  check("x", "a:1", "x and a:1");
  check("a:1", "a:1", "a:1");
  check("not a:1", "a:1", "a:1");
  check("x and a:1", "not a:1", "x and not a:1");
  check("x or y", "a:1", "(x or y) and a:1");
  check("(x or y)", "a:1", "(x or y) and a:1");
});

describe("clauseFor", () => {
  const check = (name: string, value: Parameters<typeof clauseFor>[1], expected: string) =>
    it(expected, () => expect(clauseFor(name, value)).toBe(expected));
  check("service.name", "web", "service.name:web");
  check("http.response.status_code", 503, "http.response.status_code:503");
  check("user.id", 9007199254740993n, "user.id:9007199254740993");
  check("ok", true, "ok:true");
  check("gone", null, "not gone:*");
  check("msg", 'say "hi" \\', 'msg:"say \\"hi\\" \\\\"');
  check("msg", "a\nb", 'msg:"a\\nb"');
  check("msg", "wild*card", 'msg:"wild*card"');
  check("msg", "or", 'msg:"or"');
  check("a key", "v", '"a key":v');
  check("n", "-5", 'n:"-5"');
  check("n", -5, "n:-5");
  check("url.path", "/api/pay", 'url.path:"/api/pay"');
});

describe("toggling", () => {
  it("goes in and out", () => {
    const once = toggleClause("x", "a:1");
    expect(toggleClause(once, "a:1")).toBe("x");
    expect(removeClause("a:1", "a:1")).toBe("");
    expect(negate(negate("a:1"))).toBe("a:1");
    expect(joinClauses(["", "a", "b"])).toBe("a and b");
  });
  it("quotes come back", () => {
    for (const text of ['"', "\\", "\n\t\r", "a\"b\\c", "שלום"]) expect(unquote(quote(text))).toBe(text);
  });
});

describe("caretContext", () => {
  const check = (marked: string, expected: { kind: string; field?: string; prefix: string; replaced?: string }) =>
    it(marked, () => {
      const caret = marked.indexOf("|");
      const q = marked.replace("|", "");
      const context = caretContext(q, caret);
      expect({ kind: context.kind, field: context.field, prefix: context.prefix }).toEqual({ field: "", ...expected, replaced: undefined });
      if (expected.replaced !== undefined) expect(q.slice(context.start, context.end)).toBe(expected.replaced);
    });
  check("|", { kind: "field", prefix: "" });
  check("ser|", { kind: "field", prefix: "ser", replaced: "ser" });
  check("ser|vice", { kind: "field", prefix: "ser", replaced: "service" });
  check("a and ser|", { kind: "field", prefix: "ser", replaced: "ser" });
  check("service:|", { kind: "value", field: "service", prefix: "", replaced: "" });
  check("service:we|", { kind: "value", field: "service", prefix: "we", replaced: "we" });
  check('service:"we|', { kind: "value", field: "service", prefix: "we", replaced: '"we' });
  check("service:|web", { kind: "value", field: "service", prefix: "", replaced: "web" });
  check("status>=5|", { kind: "value", field: "status", prefix: "5", replaced: "5" });
  check("service:web |", { kind: "field", prefix: "" });
  check("-ser|", { kind: "field", prefix: "ser", replaced: "ser" });
  check("-service:we|", { kind: "value", field: "service", prefix: "we", replaced: "we" });
});

it("tokens cover the whole text", () => {
  for (const q of ['a:"b', "((", "\\", "a\\", "x>=1 and (y or \"z\\\"\")", "日本:語", "a:[1 to 2", "]]", "/a b/ c", "a]b", "!", "-\""]) {
    expect(tokenize(q).map((token) => token.text).join("")).toBe(q);
  }
});

it("positions count characters, not UTF-16 units", () => {
  expect(utf16Offset("a😀b", 2)).toBe(3);
  expect(utf16Offset("ab", 9)).toBe(2);
});
