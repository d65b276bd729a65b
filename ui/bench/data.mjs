/** What there is to ask for on the server under test: a range with records, its services, words and spans. */
const HALF_HOUR_MS = 1_800_000;
/** What an answer may take, input to picture, where it is of few records and where of many. */
const ASKED_MS = { few: 200, many: 1000 };
const MANY = 1_000_000;
const stamp = (ms) => new Date(ms).toISOString();

/** The last half hour where records come now; else all that there is. */
function bounds({ oldest_ns: oldest, newest_ns: newest }) {
  if (newest === null || newest === undefined) throw new Error("the server has no records, or does not say so to this reader");
  const [first, last] = [Number(BigInt(oldest) / 1_000_000n), Number(BigInt(newest) / 1_000_000n)];
  const end = Math.min(last + 1000, Date.now());
  return { from: end - first < 2 * HALF_HOUR_MS || Date.now() - end > HALF_HOUR_MS ? first : end - HALF_HOUR_MS, to: end };
}

const isWord = (text) => /^[a-z]{4,12}$/.test(text);

/** `get` asks the server for JSON as the one who looks at the page. */
export async function dataOf(get) {
  const status = await get("/api/v1/status");
  const { from, to } = bounds(status);
  const asked = `from=${stamp(from)}&to=${stamp(to)}`;
  const [names, { records }, { spans }, { services: requests }] = await Promise.all([
    get(`/api/v1/fields/service.name/values?${asked}&limit=20`), get(`/api/v1/logs?${asked}&limit=200`), get(`/api/v1/spans?${asked}&limit=1`), get(`/api/v1/services?${asked}&limit=1`),
  ]);
  const services = names.values.map(({ value }) => value);
  const words = [...new Set(records.flatMap(({ body }) => (typeof body === "string" ? body.split(/\s+/) : [])).filter(isWord))];
  if (services.length === 0 || words.length === 0) throw new Error("there are no services or words in the newest records, so there is nothing to search for");
  // Each time another one by some milliseconds, so that no answer is one from before.
  const range = (i) => ({ from: stamp(from + 1 + i), to: stamp(to) });
  return {
    records: status.records, asked: status.records < MANY ? ASKED_MS.few : ASKED_MS.many, otlp: status.receivers.find(({ protocol }) => protocol === "otlp-http")?.address, from: stamp(from), to: stamp(to), has: { spans: spans.length > 0, requests: requests.length > 0 }, range,
    count: (i) => `select "service.name", count(*) as records from logs where time >= '${range(i).from}' and time < '${range(i).to}' group by 1 order by 2 desc`,
    service: (i) => services[i % services.length], word: (i) => words[i % words.length],
    address: (path, i, params = {}) => `${path}?${new URLSearchParams({ ...range(i), ...params })}`,
  };
}
