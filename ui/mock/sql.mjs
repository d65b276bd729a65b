/** Answers to statements of SQL by what is written in them: the mock has no engine. */
import { HttpError } from "./answers.mjs";
import { sums } from "./spans.mjs";

const COLUMNS = [{ name: "time", type: "timestamp" }, { name: "service.name", type: "string" }, { name: "records", type: "integer" }];
const ROWS = 1200;
const services = ["checkout", "<b>payment</b>", "=cmd()", "web\u202e", null];

/** What there is to be offered. */
const TABLES = {
  logs: [["time", 'Timestamp(ns, "UTC")'], ["severity", "Utf8"], ["severity_number", "UInt8"], ["body", "Utf8"], ["service.name", "Utf8"], ["service.version", "Utf8"], ["http.response.status_code", "Int64"]],
  spans: [["time", 'Timestamp(ns, "UTC")'], ["duration_ms", "Float64"], ["trace_id", "Utf8"], ["service.name", "Utf8"]],
};

/** Names with a number each. */
const GROUPED = { columns: COLUMNS.slice(1), rows: services.map((name, i) => [name, 400 - i * 90]) };

export function sql(mock, statement) {
  if (/trace_id in \(/.test(statement)) return sums(mock.spans, statement);
  if (/information_schema/.test(statement)) {
    const columns = ["table_name", "column_name", "data_type"].map((name) => ({ name, type: "string" }));
    const rows = Object.entries(TABLES).flatMap(([table, of]) => of.map((column) => [table, ...column]));
    return { columns, rows, truncated: false, stats: { elapsed_ms: 3, scanned_rows: 0, scanned_bytes: 0, segments: 0, segments_pruned: 0 } };
  }
  const wrong = statement.indexOf("nope");
  if (wrong >= 0) throw new HttpError(400, { code: "bad_query", message: "there is no column `nope`", position: [...statement.slice(0, wrong)].length, suggestion: "name" });
  if (/group by/.test(statement)) return { ...GROUPED, truncated: false, stats: { elapsed_ms: 9, scanned_rows: 48_000, scanned_bytes: 1e6, segments: 2, segments_pruned: 1 } };
  const isNone = /\bfalse\b/.test(statement);
  const rows = Array.from({ length: isNone ? 0 : ROWS }, (_, i) => [
    new Date(Date.UTC(2026, 10, 20) + i * 60_000).toISOString().replace("Z", "000000Z"), mock.state === "masked" ? "[masked]" : services[i % services.length], i === 0 ? Number.MAX_SAFE_INTEGER : (i * 37) % 101,
  ]);
  return { columns: COLUMNS, rows, truncated: !isNone, stats: { elapsed_ms: 12, scanned_rows: 48_000, scanned_bytes: 1e6, segments: 2, segments_pruned: 1 } };
}
