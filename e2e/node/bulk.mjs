/** Sends documents with the client's own bulk helper and prints what it says it did. Arguments: URL, COUNT, WORD. */
import { Client } from "@elastic/elasticsearch";

const [node, count, word] = process.argv.slice(2);
const client = new Client({ node, maxRetries: 0 });
const documents = Array.from({ length: Number(count) }, (_, n) => ({
  "@timestamp": new Date(Date.UTC(2026, 10, 20, 10, 0, 0, n % 1000)).toISOString(),
  message: `${word} number ${n}`,
  level: n % 2 ? "error" : "info",
  service: { name: `${word}-service` },
  n,
  ratio: n + 0.5,
  odd: n % 2 === 1,
}));
const dropped = [];
const result = await client.helpers.bulk({
  datasource: documents,
  flushBytes: 20_000,
  onDocument: (document) => ({ index: { _index: "node-logs", _id: `${word}-${document.n}` } }),
  onDrop: (document) => dropped.push(document),
});
console.log(JSON.stringify({ successful: result.successful, failed: result.failed, dropped: dropped.length }));
await client.close();
