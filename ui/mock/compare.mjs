/** How two parts of the records differ; a stand-in for what the server counts, without its bounds. */
import { HttpError, rangeOf, select } from "./answers.mjs";

const SURE = 3.3;

function wilson(count, of) {
  if (of === 0) return [0, 1];
  const [p, z2] = [count / of, SURE * SURE];
  const centre = (p + z2 / (2 * of)) / (1 + z2 / of);
  const half = (SURE / (1 + z2 / of)) * Math.sqrt((p * (1 - p)) / of + z2 / (4 * of * of));
  return [centre - half, centre + half];
}

function surely(a, ofA, b, ofB) {
  const [one, other] = a / Math.max(1, ofA) < b / Math.max(1, ofB) ? [[b, ofB], [a, ofA]] : [[a, ofA], [b, ofB]];
  return wilson(...one)[0] - wilson(...other)[1];
}

function counted(records, side, fields) {
  for (const record of records) {
    const pairs = new Map([...record.resource, ...record.attributes].filter(([, value]) => value !== null));
    for (const [name, value] of [["severity", record.severity], ...pairs]) {
      const field = fields.get(name) ?? { has: [0, 0], values: new Map() };
      fields.set(name, field);
      field.has[side]++;
      if (typeof value === "object") continue;
      const counts = field.values.get(String(value)) ?? [0, 0];
      counts[side]++;
      field.values.set(String(value), counts);
    }
  }
}

export function compare(records, params) {
  const kind = params.get("with") || "before";
  const hasRest = Boolean(params.get("q") || params.get("template"));
  if (kind === "rest" && !hasRest) throw new HttpError(400, { code: "bad_request", message: "without `q` or `template` there is no rest to compare with; give one of them" });
  const [from, to] = rangeOf(params);
  const [start, end] = kind === "rest" ? [from, to] : [from - (to - from), from];
  const within = (low, high, q) => select(records, new URLSearchParams({ q, template: q === "" ? "" : (params.get("template") ?? ""), from: String(low), to: String(high) })).found;
  const these = within(from, to, params.get("q") ?? "");
  const known = new Set(these);
  const others = within(start, end, kind === "rest" ? "" : (params.get("q") ?? "")).filter((record) => kind !== "rest" || !known.has(record));
  const fields = new Map();
  counted(these, 0, fields);
  counted(others, 1, fields);
  const listed = [...fields].map(([field, { has, values }]) => {
    const all = [...values, [null, [these.length - has[0], others.length - has[1]]]];
    const differing = all
      .map(([value, [count, other]]) => ({ value, count, other, surely: surely(count, these.length, other, others.length) }))
      .filter((one) => one.surely > 0).sort((a, b) => b.surely - a.surely);
    const most = Number(params.get("values") || 5);
    const rest = (side) => has[side] - [...values.values()].reduce((sum, counts) => sum + counts[side], 0);
    return { field, count: has[0], other: has[1], values: differing.slice(0, most), more: Math.max(0, differing.length - most), not_counted: { count: rest(0), other: rest(1) } };
  }).filter(({ field, values }) => values.length > 0 && !(kind === "rest" && (params.get("q") ?? "").includes(`${field}:`))).sort((a, b) => b.values[0].surely - a.values[0].surely);
  const limit = Number(params.get("limit") || 20);
  return {
    with: kind, from_ns: String(from), to_ns: String(to), other_from_ns: String(start), other_to_ns: String(end), total: these.length, other_total: others.length,
    fields: listed.slice(0, limit).map(({ values, ...field }) => ({ ...field, values: values.map(({ value, count, other }) => ({ value, count, other })) })),
    more: Math.max(0, listed.length - limit), compared: fields.size, left_out: { fields: 0, records_with_more_fields: 0 },
    stats: { elapsed_ms: 12.5, scanned_rows: records.length, scanned_bytes: records.length * 310, segments: 12, segments_pruned: 9 },
  };
}
