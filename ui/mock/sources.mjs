/** The ledger of the mock: a few senders that do what senders do, by the minute, and whoever sent to it. */
import { nowNs, rangeOf } from "./answers.mjs";
import { random, timeText } from "./data.mjs";

const MINUTE = 60_000_000_000n;
const FATES = ["stored", "deduplicated", "deferred", "rejected", "dropped"];

const none = () => ({ received: 0, stored: 0, deduplicated: 0, deferred: 0, rejected: 0, rejected_for: {}, dropped: 0, dropped_for: {}, refused_requests: 0, refused_for: {}, bytes: 0, balanced: true });

/** Each with what became of a minute's records, at a rate; `until` is how many minutes ago it sent last. */
const SENDERS = [
  { of: ["otlp", "10.1.4.17", "OTel-OTLP-Exporter-Go/1.28.0", "spiffe://mesh.example/ns/shop/sa/checkout"], rate: 900, lag: 0.8, fate: (n) => ({ stored: n }) },
  { of: ["forward", "10.1.4.22", "ip-10-1-4-22.eu-central-1.compute.internal", null], rate: 420, lag: 2.1, fate: (n) => ({ stored: n - 6, deduplicated: 6 }) },
  { of: ["elasticsearch", "10.1.7.3", "filebeat/8.15.2", "CN=filebeat.shop.example"], rate: 260, lag: 4.2, fate: (n) => ({ stored: n - 12, deduplicated: 4, deferred: 5, rejected: 3, rejected_for: { conflict: 3 } }) },
  { of: ["syslog", "10.1.9.40", null, null], rate: 75, lag: 0.2, fate: (n) => ({ stored: n - 9, dropped: 9, dropped_for: { queue_full: 2, "drop-health-checks": 7 } }) },
  { of: ["loki", "10.1.4.31", "promtail/3.1.0", null], rate: 48, lag: -3.4, fate: (n) => ({ stored: n }), refused: { malformed: 1 } },
  { of: ["beats", "10.1.12.8", "billing-export", null], rate: 55, lag: 1.3, fate: (n) => ({ stored: n }), until: 7 },
  { of: ["gelf", null, null, null], others: true, rate: 12, lag: null, fate: (n) => ({ stored: n - 1, dropped: 1, dropped_for: { incomplete: 1 } }) },
  { of: ["zipkin", "10.1.4.50", "zipkin-reporter/2.16 <script>alert(1)</script>", null], rate: 8, lag: 0.4, fate: (n) => ({ stored: n }) },
  { of: ["logkeep", null, null, null], rate: 1, lag: 0, fate: (n) => ({ stored: n }) },
];

function lineAt(sender, minute, rand, state) {
  const received = Math.max(10, Math.round(sender.rate * (0.7 + 0.6 * rand())));
  const line = { ...none(), received, ...sender.fate(received), bytes: received * 310 };
  if (sender.refused) Object.assign(line, { refused_for: sender.refused, refused_requests: 1 });
  // Of one sender, and only where the test asks for it.
  if (state === "unbalanced" && sender.of[0] === "syslog") line.stored -= 4;
  return settled(minute, line);
}

function settled(minute, line) {
  return { time: timeText(minute * MINUTE), ...line, balanced: line.received === FATES.reduce((sum, fate) => sum + line[fate], 0) };
}

function joined(lines) {
  const all = none();
  for (const line of lines) {
    for (const name of ["received", ...FATES, "refused_requests", "bytes"]) all[name] += line[name];
    for (const name of ["rejected_for", "dropped_for", "refused_for"]) for (const [reason, count] of Object.entries(line[name])) all[name][reason] = (all[name][reason] ?? 0) + count;
    all.balanced &&= line.balanced;
  }
  return all;
}

/** Lines of hours where hours are asked for. */
function stepped(lines, hours) {
  if (!hours) return lines;
  const found = new Map();
  for (const line of lines) {
    const time = `${line.time.slice(0, 13)}:00:00.000000000Z`;
    found.set(time, [...(found.get(time) ?? []), line]);
  }
  return [...found].map(([time, own]) => ({ time, ...joined(own) }));
}

/** Counts what was sent to the mock itself. */
export function ledger(mock, sender, records) {
  const minute = nowNs() / MINUTE;
  const own = mock.senders.get(sender) ?? new Map();
  own.set(minute, (own.get(minute) ?? 0) + records);
  mock.senders.set(sender, own);
}

/** Since so many minutes the mock's senders have sent. */
const SINCE = 60n;

export function sources(mock, params) {
  const [from, to] = rangeOf(params, "-24h");
  const [first, last, now] = [from / MINUTE, (to - 1n) / MINUTE, nowNs() / MINUTE];
  const all = [...seeded(mock, first, last, now), ...received(mock, first, last)].filter(({ lines }) => lines.length > 0);
  const found = all.map(({ of: [protocol, peer, sender, identity], others = false, lag, lines }) => {
    const seen = lines.at(-1).minute === now ? nowNs() - 2_000_000_000n : (lines.at(-1).minute + 1n) * MINUTE - 9_000_000_000n;
    const series = lines.map(({ line }) => line);
    return {
      ...joined(series), protocol, peer, sender, identity, others, last_seen: timeText(seen), silent_seconds: Number(nowNs() - seen) / 1e9, lag_seconds: lag,
      newest: lag === null ? null : timeText(seen - BigInt(Math.round(lag * 1000)) * 1_000_000n), ...(params.get("series") ? { series: stepped(series, params.get("series") === "hour") } : {}),
    };
  });
  found.sort((a, b) => a.silent_seconds - b.silent_seconds);
  const limit = Number(params.get("limit") ?? 200);
  const totals = joined(found);
  return { sources: found.slice(0, limit), totals, balanced: totals.balanced, from: timeText(first * MINUTE), more: found.length > limit };
}

function seeded(mock, first, last, now) {
  if (mock.records.length === 0) return [];
  return SENDERS.map((sender, at) => {
    const rand = random(at + 1);
    const lines = [];
    for (let minute = now - SINCE; minute <= now - BigInt(sender.until ?? 0); minute++) {
      const line = lineAt(sender, minute, rand, mock.state);
      if (minute >= first && minute <= last) lines.push({ minute, line });
    }
    return { ...sender, lines };
  });
}

function received(mock, first, last) {
  return [...mock.senders].map(([sender, minutes]) => ({
    of: ["ndjson", "127.0.0.1", sender, null], lag: 0,
    lines: [...minutes].filter(([minute]) => minute >= first && minute <= last).map(([minute, count]) => ({ minute, line: settled(minute, { ...none(), received: count, stored: count, bytes: count * 120 }) })),
  }));
}
