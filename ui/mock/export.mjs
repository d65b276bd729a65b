/** Files of records: NDJSON and CSV, whole, refused or cut short. Parquet is nothing that is made here. */
import * as answers from "./answers.mjs";
import { stringify } from "./data.mjs";

const TYPES = { ndjson: "application/x-ndjson", csv: "text/csv; charset=utf-8; header=present" };
const PLAIN = ["id", "time", "severity", "service", "body", "trace_id", "span_id"];

const cell = (value) => `"${(typeof value === "string" ? value : value === null || value === undefined ? "" : stringify(value)).replaceAll('"', '""')}"`;

function csv(records, fields) {
  const more = fields.length > 0 ? fields : ["attributes", "resource"];
  const values = (record) => more.map((name) => (fields.length > 0 ? new Map([...record.resource, ...record.attributes]).get(name) : Object.fromEntries(record[name])));
  const lines = records.map((record) => [...PLAIN.map((name) => record[name]), ...values(record)].map(cell).join(","));
  return [[...PLAIN, ...more].join(","), ...lines, ""].join("\r\n");
}

export function exportFile(mock, params, response) {
  const format = params.get("format") ?? "";
  if (!(format in TYPES)) throw new answers.HttpError(400, { code: "bad_request", message: `\`format\` is \`${format}\`; here it must be \`csv\` or \`ndjson\`` });
  const { found } = answers.select(mock.records, params);
  if (mock.state === "export_over") throw new answers.HttpError(403, { code: "over_export", message: `this answer has ${found.length} rows and one may have 1000 (\`access.export_rows\`); ask for less at a time` });
  if (params.get("order") === "asc") found.reverse();
  const records = found.slice(0, Number(params.get("limit") ?? found.length));
  const fields = (params.get("fields") ?? "").split(",").filter(Boolean);
  const text = format === "csv" ? csv(records, fields) : records.map((record) => `${stringify(record)}\n`).join("");
  response.writeHead(200, { "content-type": TYPES[format], "content-disposition": `attachment; filename="logs-20261120T100000Z.${format}"`, "cache-control": "no-store" });
  if (mock.state !== "export_cut") return void response.end(text);
  response.write(text.slice(0, text.length / 2), () => response.destroy());
}
