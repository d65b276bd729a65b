import { describe, expect, it } from "vitest";
import { parseJson, writeJson } from "../src/api/json";
import type { LogRecord } from "../src/api/types";
import { bytes, compact, millis, typeName, pieces, visibleLine } from "../src/lib/format";
import { accessLine, byImportance, fieldValue, queryName } from "../src/lib/record";
import { rowsOfRecords } from "../src/lib/pages";
import { merge, stack } from "../src/lib/useTail";

const record = (patch: Partial<LogRecord> = {}): LogRecord => ({
  id: "d.1.1", time: "2026-11-20T10:00:00Z", time_ns: "1795168800000000000", received: "", severity: "info", severity_number: 9,
  severity_text: "INFO", service: "web", body: "hello", original: null, event_name: "", trace_id: null, span_id: null,
  attributes: [], resource: [["service.name", "web"]], scope: { name: "", version: "", attributes: [] }, ...patch,
});
const at = (ns: number, id = `d.1.${ns}`) => record({ id, time_ns: String(1795168800000000000n + BigInt(ns)) });

describe("what hides is shown", () => {
  const check = (text: string, expected: string) => it(JSON.stringify(text), () => expect(visibleLine(text)).toBe(expected));
  check("a\nb", "a\\nb");
  check("\u001b[31m", "\\x1b[31m");
  check("\u0000\u007f\u0085", "\\x00\\x7f\\x85");
  check("\u202eexe", "\\u202eexe");
  check("a\u200bb\ufeff", "a\\u200bb\\ufeff");
  check("שלום <b>", "שלום <b>");
  it("lines stay lines in a block", () => {
    expect(pieces("a\r\nb\tc\u0007\u0007d", true)).toEqual([
      { text: "a\nb\tc", escaped: false }, { text: "\\x07\\x07", escaped: true }, { text: "d", escaped: false },
    ]);
    expect(pieces("")).toEqual([]);
  });
});

describe("JSON", () => {
  it("writes what it read", () => {
    const text = '{"a":[1,2.5,null,true],"b":{"c":"x"},"d":[],"e":{}}';
    expect(writeJson(parseJson(text))).toBe(text);
    expect(writeJson({ a: 9007199254740993n })).toBe('{"a":9007199254740993}');
    expect(JSON.parse(writeJson(parseJson(text), 2))).toEqual(JSON.parse(text));
  });
  it("names types", () => {
    expect([null, 1, 1.5, 1n, true, "s", [], {}].map((v) => typeName(v))).toEqual(["null", "int", "double", "int", "bool", "string", "array", "map"]);
  });
});

it("numbers read well", () => {
  expect([compact(9999), compact(1_250_000)]).toEqual(["9,999", "1.3M"]);
  expect([millis(0.02), millis(7.36), millis(250), millis(4430), millis(90_000)]).toEqual(["20 \u00b5s", "7.4 ms", "250 ms", "4.43 s", "1.5 min"]);
  expect([bytes(12), bytes(1_250_000)]).toEqual(["12 B", "1.3 MB"]);
});

describe("records", () => {
  const access: LogRecord["attributes"] = [["http.request.method", "GET"], ["url.path", "/pay"], ["http.response.status_code", 503], ["http.server.request.duration", 0.25]];
  it("an access log is one line", () => {
    expect(accessLine(record({ attributes: access }))).toEqual({ method: "GET", path: "/pay", status: 503, durationMs: 250 });
    expect(accessLine(record({ attributes: access.slice(0, 3) }))?.durationMs).toBeNull();
    expect(accessLine(record({ attributes: access.slice(1) }))).toBeNull();
  });
  it("finds a field by its name", () => {
    const one = record({ attributes: access, trace_id: "ab" });
    expect(["severity", "service.name", "url.path", "trace_id", "none"].map((name) => fieldValue(one, name))).toEqual(["info", "web", "/pay", "ab", undefined]);
  });
  it("names a field as a query finds it", () => {
    const one = record({ attributes: [["message", "m"], ["both", 1]], resource: [["both", 2], ["host.name", "h"]] });
    expect(queryName(one, "attributes", "message")).toBe("attributes.message");
    expect(queryName(one, "attributes", "both")).toBe("both");
    expect(queryName(one, "resource", "both")).toBe("resource.both");
    expect(queryName(one, "resource", "host.name")).toBe("host.name");
    expect(queryName(one, "record", "trace_id")).toBe("trace_id");
    expect([fieldValue(one, "attributes.message"), fieldValue(one, "resource.both"), fieldValue(one, "both")]).toEqual(["m", 2, 1]);
  });
  it("puts well-known fields first", () => {
    const names = [{ name: "zzz", count: 9 }, { name: "service.name", count: 1 }, { name: "aaa", count: 9 }, { name: "severity", count: 1 }];
    expect(names.sort(byImportance).map((field) => field.name)).toEqual(["severity", "service.name", "aaa", "zzz"]);
  });
});

describe("tail over pages", () => {
  const ids = (rows: { length: number; at(i: number): LogRecord | undefined }) => Array.from({ length: rows.length }, (_, i) => rows.at(i)?.id);
  it("merges late records into their place", () => {
    expect(merge([at(5), at(3)], [at(4), at(6)]).map((r) => r.id)).toEqual(["d.1.6", "d.1.5", "d.1.4", "d.1.3"]);
  });
  it("shows each record once", () => {
    expect(ids(stack([at(6), at(5)], rowsOfRecords([at(5), at(4)]), false))).toEqual(["d.1.6", "d.1.5", "d.1.4"]);
  });
  it("sorts where they overlap", () => {
    expect(ids(stack([at(7), at(5)], rowsOfRecords([at(6), at(4)]), false))).toEqual(["d.1.7", "d.1.6", "d.1.5", "d.1.4"]);
  });
  it("leaves no hole: what is older than the last page comes with its page", () => {
    expect(ids(stack([at(9), at(1)], rowsOfRecords([at(8), at(7)]), false))).toEqual(["d.1.9", "d.1.8", "d.1.7"]);
    expect(ids(stack([at(9), at(1)], rowsOfRecords([at(8), at(7)]), true))).toEqual(["d.1.9", "d.1.8", "d.1.7", "d.1.1"]);
  });
});
