import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError, UnreachableError } from "../src/api/client";
import { CutShortError, RecordCounter, collect, exportAddress, fileName, type Asked, type Progress } from "../src/lib/exporting";

const ASKED: Asked = { q: "a b", from: "1", to: "2", template: "", order: "asc", limit: "", format: "csv", fields: ["url.path", "n"] };
const bytes = (text: string) => new TextEncoder().encode(text);

describe("where a file is", () => {
  it("names what was chosen, and nothing else", () => {
    expect(exportAddress(ASKED)).toBe("/api/v1/export?q=a+b&from=1&to=2&order=asc&format=csv&fields=url.path%2Cn");
    expect(exportAddress({ ...ASKED, format: "ndjson", limit: "5" })).toBe("/api/v1/export?q=a+b&from=1&to=2&order=asc&limit=5&format=ndjson");
  });
  it("has a name that is no path", () => {
    expect(fileName('attachment; filename="logs-20261120T100000Z.csv"', "csv")).toBe("logs-20261120T100000Z.csv");
    for (const odd of [null, "attachment", 'attachment; filename="../x.csv"']) expect(fileName(odd, "csv")).toBe("logs.csv");
  });
});

describe("how many records there are so far", () => {
  const count = (format: Asked["format"], text: string, size: number) => {
    const counter = new RecordCounter(format);
    for (let at = 0; at < text.length; at += size) counter.add(bytes(text.slice(at, at + size)));
    return counter.records;
  };
  for (const size of [1, 2, 3, 100]) {
    it(`is the same in pieces of ${size}`, () => {
      expect(count("csv", 'id,body\r\n1,"two\r\nlines ""quoted"""\r\n2,plain\r\n', size)).toBe(2);
      expect(count("ndjson", '{"a":"\\""}\n{"b":1}\n', size)).toBe(2);
      expect(count("parquet", "PAR1\n\n\n", size)).toBeNull();
      expect(count("csv", "id,body\r\n", size)).toBe(0);
    });
  }
});

describe("collecting a file", () => {
  afterEach(() => vi.unstubAllGlobals());
  const answers = (answer: Response | Error) => vi.stubGlobal("fetch", () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)));
  const stream = (parts: string[], end?: Error) => new ReadableStream({
    pull(controller) {
      const part = parts.shift();
      if (part !== undefined) controller.enqueue(bytes(part));
      else if (end) controller.error(end);
      else controller.close();
    },
  });
  const run = (progress: (so: Progress) => void = () => undefined) => collect(ASKED, new AbortController().signal, progress);

  it("gives all of it, and says how far it is", async () => {
    answers(new Response(stream(["id\r\n", "1\r\n2\r\n"]), { headers: { "content-type": "text/csv", "content-disposition": 'attachment; filename="a.csv"' } }));
    const told: Progress[] = [];
    const saved = await run((so) => told.push(so));
    expect([saved.name, saved.bytes, saved.records, await saved.file.text(), saved.file.type]).toEqual(["a.csv", 10, 2, "id\r\n1\r\n2\r\n", "text/csv"]);
    expect(told).toEqual([{ bytes: 4, records: 0 }, { bytes: 10, records: 2 }]);
  });
  it("gives nothing of one that is cut short", async () => {
    answers(new Response(stream(["id\r\n1\r\n"], new TypeError("network error"))));
    await expect(run()).rejects.toBeInstanceOf(CutShortError);
  });
  it("says what the server says against it", async () => {
    answers(new Response('{"error":{"code":"over_export","message":"too much"}}', { status: 403 }));
    await expect(run()).rejects.toMatchObject({ message: "too much", status: 403 } satisfies Partial<ApiError>);
  });
  it("says that nobody answered", async () => {
    answers(new TypeError("failed to fetch"));
    await expect(run()).rejects.toBeInstanceOf(UnreachableError);
  });
});
