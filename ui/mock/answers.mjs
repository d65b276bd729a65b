/** The answers of docs/api.md over a plain array of records, newest first. */
import { isOf } from "./patterns.mjs";
import { QueryError, parse, valuesOf } from "./query.mjs";

export class HttpError extends Error {
  constructor(status, body) {
    super(body.message);
    Object.assign(this, { status, body });
  }
}

const UNITS = { ns: 1n, us: 1_000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n, d: 86_400_000_000_000n, w: 604_800_000_000_000n };
const SECOND = 1_000_000_000n;

export const nowNs = () => BigInt(Date.now()) * 1_000_000n;

function bound(text, fallback) {
  const value = text ?? fallback;
  if (value === "now") return nowNs();
  const relative = /^-(\d+)(ns|us|ms|s|m|h|d|w)$/.exec(value);
  if (relative) return nowNs() - BigInt(relative[1]) * UNITS[relative[2]];
  if (/^\d+$/.test(value)) return BigInt(value) * (value.length <= 11 ? SECOND : value.length <= 14 ? 1_000_000n : 1n);
  const millis = Date.parse(value.replace(/(\.\d+)/, ""));
  if (Number.isNaN(millis)) throw new HttpError(400, { code: "bad_request", message: `\`${value}\` is not a time` });
  const fraction = /\.(\d+)/.exec(value)?.[1] ?? "";
  return BigInt(millis) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

export function matcher(q) {
  try {
    return parse(q);
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const { message, position, length, expected } = error;
    throw new HttpError(400, { code: "bad_query", message, position, length, expected });
  }
}

export function rangeOf(params, since = "-15m") {
  return [bound(params.get("from"), since), bound(params.get("to"), "now")];
}

export function select(records, params) {
  const [from, to] = rangeOf(params);
  const [matches, isOne] = [matcher(params.get("q") ?? ""), isOf(params.get("template"))];
  const found = records.filter((r) => BigInt(r.time_ns) >= from && BigInt(r.time_ns) < to && matches(r) && isOne(r));
  return { from, to, found };
}

const stats = (records) => ({ elapsed_ms: 7.4, scanned_rows: records.length, scanned_bytes: records.length * 310, segments: 12, segments_pruned: 9 });

export function logs(records, params) {
  const limit = Number(params.get("limit") ?? 100);
  const { found } = select(records, params);
  if (params.get("order") === "asc") found.reverse();
  const after = params.get("after");
  const start = after ? found.findIndex((r) => r.id === after) + 1 : 0;
  const page = found.slice(start, start + limit);
  const more = start + limit < found.length;
  return { records: page, next: more ? page[page.length - 1].id : null, partial: null, stats: stats(records) };
}

export function spans(all, params) {
  const { records: found, ...rest } = logs(all, params);
  return { spans: found, ...rest };
}

const WIDTHS = [1n, 2n, 5n, 10n, 15n, 30n, 60n, 120n, 300n, 600n, 900n, 1800n, 3600n, 7200n, 14400n, 43200n, 86400n].map((s) => s * SECOND);

export function histogram(records, params) {
  const { from, to, found } = select(records, params);
  const wanted = (to - from) / BigInt(params.get("buckets") ?? 60);
  const width = [1_000_000n, 10_000_000n, 100_000_000n, ...WIDTHS].find((w) => w >= wanted) ?? 7n * UNITS.d;
  const first = from - (from % width);
  const buckets = [];
  for (let start = first; start < to; start += width) buckets.push({ start_ns: String(start), total: 0, severity: {} });
  for (const record of found) {
    const bucket = buckets[Number((BigInt(record.time_ns) - first) / width)];
    bucket.total++;
    bucket.severity[record.severity] = (bucket.severity[record.severity] ?? 0) + 1;
  }
  const by = params.get("by") ? { by: grouped(found, params, buckets.length, (record) => Number((BigInt(record.time_ns) - first) / width)) } : {};
  return { from_ns: String(from), to_ns: String(to), bucket_ns: String(width), total: found.length, buckets, ...by, stats: stats(records) };
}

/** The same records by the first value that each has of a field. */
function grouped(found, params, buckets, bucketOf) {
  const field = params.get("by");
  const values = new Map();
  const part = () => ({ count: 0, counts: Array(buckets).fill(0) });
  const missing = part();
  for (const record of found) {
    const value = valuesOf(record, field)[0];
    const key = value === undefined || value === null ? null : String(value);
    if (key !== null && !values.has(key)) values.set(key, { value: key, ...part() });
    const counted = key === null ? missing : values.get(key);
    counted.count++;
    counted.counts[bucketOf(record)]++;
  }
  const sorted = [...values.values()].sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
  const top = Number(params.get("top") ?? 10);
  const other = part();
  for (const group of sorted.slice(top)) {
    other.count += group.count;
    group.counts.forEach((count, at) => { other.counts[at] += count; });
  }
  return { field, groups: sorted.slice(0, top), other, missing, many: values.size > 2000 };
}

const typeOf = (v) => (typeof v === "number" ? (Number.isInteger(v) ? "int" : "double") : typeof v === "boolean" ? "bool" : typeof v === "bigint" ? "int" : v === null ? "null" : Array.isArray(v) ? "array" : typeof v === "object" ? "map" : "string");

function tops(counts, limit) {
  return [...counts.values()].sort((a, b) => b.count - a.count).slice(0, limit);
}

export function fields(records, params) {
  const { found } = select(records, params);
  const seen = new Map();
  const add = (name, value) => {
    if (!seen.has(name)) seen.set(name, { types: new Set(), count: 0, values: new Map() });
    const field = seen.get(name);
    field.types.add(typeOf(value));
    field.count++;
    const key = String(value);
    if (!field.values.has(key)) field.values.set(key, { value, count: 0 });
    field.values.get(key).count++;
  };
  for (const record of found) {
    add("severity", record.severity);
    if (record.trace_id) add("trace_id", record.trace_id);
    if (record.kind) for (const name of ["span.name", "span.kind", "span.status.code"]) add(name, valuesOf(record, name)[0]);
    for (const [name, value] of [...record.attributes, ...record.resource]) add(name, value);
  }
  const list = [...seen].map(([name, f]) => ({ name, types: [...f.types], count: f.count, top: tops(f.values, 10) }));
  return { total: found.length, fields: list, stats: stats(records) };
}

export function fieldValues(records, name, params) {
  const { found } = select(records, params);
  const counts = new Map();
  let missing = 0;
  for (const record of found) {
    const values = valuesOf(record, name);
    if (values.length === 0) missing++;
    for (const value of values) {
      const entry = counts.get(String(value)) ?? { value, count: 0 };
      entry.count++;
      counts.set(String(value), entry);
    }
  }
  return { field: name, values: tops(counts, Number(params.get("limit") ?? 20)), missing, total: found.length, stats: stats(records) };
}

export function record(records, id) {
  const found = records.find((r) => r.id === id);
  if (!found) throw new HttpError(404, { code: "not_found", message: `there is no record \`${id}\`` });
  return found;
}

export function context(records, id, params) {
  const found = record(records, id);
  const same = records.filter((r) => r.service === found.service);
  const at = same.indexOf(found);
  const [before, after] = [Number(params.get("before") ?? 20), Number(params.get("after") ?? 20)];
  return {
    before: same.slice(at + 1, at + 1 + before).reverse(), record: found, after: same.slice(Math.max(0, at - after), at).reverse(),
    by: ["service.name", "k8s.pod.name"],
  };
}
