/** Message templates of the mock: words with digits vary, all others are constant. Just enough to look at the page. */

const MARK = /\\*<(?:var|num|hex|id|uuid|ip|mac|time|str|path|url|email|list|\*|\.\.\.)>/g;
const BUCKETS_MAX = 200;
const stats = { elapsed_ms: 12, scanned_rows: 4000, scanned_bytes: 1, segments: 4, segments_pruned: 2 };
const isText = (record) => typeof record.body === "string";
const escaped = (word) => word.replace(MARK, (mark) => (mark.startsWith("\\") ? mark.replace(/^\\+/, (slashes) => slashes + slashes) : "") || `\\${mark}`);

/** Each word of the first line that has a digit, with its kind. */
const words = (body) => body.split("\n")[0].trim().split(/\s+/).map((word) => ({ word, kind: /^[\d.,]+$/.test(word) ? "<num>" : /\d/.test(word) ? "<id>" : null }));

export const templateText = (body) => words(body).map(({ word, kind }) => kind ?? escaped(word)).join(" ");

/** 16 digits of base 16, the same for the same text. */
export function templateId(text) {
  let hash = 0xcbf29ce484222325n;
  for (const char of text) hash = BigInt.asUintN(64, (hash ^ BigInt(char.codePointAt(0))) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}

/** Whether a record is of the template that is asked for by id or text. */
export function isOf(asked) {
  if (!asked) return () => true;
  return (record) => isText(record) && [templateText(record.body), templateId(templateText(record.body))].includes(asked);
}

function groups(records) {
  const found = new Map();
  for (const record of records.filter(isText)) {
    const text = templateText(record.body);
    if (!found.has(text)) found.set(text, []);
    found.get(text).push(record);
  }
  return found;
}

const counts = (values) => {
  const found = {};
  for (const value of values) found[value] = (found[value] ?? 0) + 1;
  return found;
};
const most = (found) => Object.entries(found).sort((a, b) => b[1] - a[1]);

/** `all` are the records of any time that the query selects. */
export function patterns(all, { from, to }, params) {
  const within = (start, end) => all.filter(({ time_ns: ns }) => BigInt(ns) >= start && BigInt(ns) < end);
  const compare = params.get("compare") === "true";
  const [now, before] = [groups(within(from, to)), groups(compare ? within(from - (to - from), from) : [])];
  const buckets = Math.min(BUCKETS_MAX, Number(params.get("buckets") ?? 30));
  const width = (to - from) / BigInt(buckets) + 1n;
  const listed = [...new Set([...now.keys(), ...before.keys()])].map((text) => one(text, now.get(text) ?? [], before.get(text) ?? [], { from, width, buckets, compare, all }));
  const shows = { new: (p) => p.count > 0 && p.before === 0, gone: (p) => p.count === 0, all: (p) => p.count > 0 };
  const shown = listed.filter(shows[params.get("show") ?? "all"]).sort((a, b) => b.count - a.count);
  const limit = Number(params.get("limit") ?? 100);
  const total = within(from, to);
  return {
    from_ns: String(from), to_ns: String(to), first_ns: String(from), bucket_ns: String(width), total: total.length, without: total.filter((r) => !isText(r)).length, others: 0,
    templates: listed.filter(shows.all).length, new: compare ? listed.filter(shows.new).length : null, gone: compare ? listed.filter(shows.gone).length : null,
    patterns: shown.slice(0, limit), more: Math.max(0, shown.length - limit), stats,
  };
}

function one(template, now, before, { from, width, buckets, compare, all }) {
  const series = Array(buckets).fill(0);
  for (const { time_ns: ns } of now) series[Number((BigInt(ns) - from) / width)]++;
  const records = now.length > 0 ? now : before;
  const first = all.filter((r) => isText(r) && templateText(r.body) === template).at(-1);
  return {
    id: templateId(template), template, count: now.length, before: compare ? before.length : null, severity: counts(now.map((r) => r.severity)),
    services: most(counts(records.map((r) => r.service))).slice(0, 10).map(([service, count]) => ({ service, count: now.length > 0 ? count : 0 })), more_services: 0,
    first_ns: records.at(-1).time_ns, last_ns: records[0].time_ns, first_seen_ns: first.time_ns, series, example: { id: records[0].id, body: records[0].body },
  };
}

/** What stands where the template of these records leaves it open. */
export function parameters(known, found, asked, limit) {
  const template = known.filter(isText).map((r) => templateText(r.body)).find((text) => text === asked || templateId(text) === asked);
  if (template === undefined) return null;
  const values = found.map((r) => words(r.body).filter(({ kind }) => kind !== null));
  const variables = (values[0] ?? []).map(({ kind }, at) => {
    const tops = most(counts(values.map((one) => one[at].word)));
    return { kind, values: tops.slice(0, limit).map(([value, count]) => ({ value, count })), more_values: false };
  });
  return { template, total: found.length, otherwise: 0, variables, stats };
}
