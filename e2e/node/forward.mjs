/** Sends events with one of the two clients and prints how many were acked. Arguments: CLIENT PORT COUNT WORD MODE [KEY USER PASSWORD].
 * With CA in the environment over TLS, of this authority only. */
import { readFileSync } from "node:fs";
import { FluentClient } from "@fluent-org/logger";
import fluent from "fluent-logger";

const [client, port, count, word, eventMode, sharedKey, username, password] = process.argv.slice(2);
const record = (n) => ({ message: `${word} number ${n}`, level: n % 2 ? "error" : "info", service: `${word}-service`, n, ratio: n + 0.5 });
const at = (n) => new Date((1795168800 + n) * 1000);
const ca = process.env.CA && readFileSync(process.env.CA);
let acked = 0;

if (client === "fluent-org") {
  const security = sharedKey && { clientHostname: "client", sharedKey, username, password };
  const logger = new FluentClient("tag", {
    eventMode,
    ack: { ackTimeout: 30_000 },
    socket: { host: "127.0.0.1", port: Number(port), timeout: 30_000, ...(ca && { tls: { ca, servername: "localhost" } }) },
    sendQueueIntervalMs: 20,
    ...(security && { security }),
  });
  const emitted = Array.from({ length: Number(count) }, (_, n) => logger.emit("label", record(n), at(n)));
  acked = (await Promise.all(emitted.map((one) => one.then(() => 1)))).length;
  await logger.disconnect();
} else {
  const logger = fluent.createFluentSender("tag", {
    host: "127.0.0.1",
    port: Number(port),
    eventMode,
    requireAckResponse: true,
    ackResponseTimeout: 30_000,
    timeout: 30,
    ...(ca && { tls: true, tlsOptions: { ca, servername: "localhost" } }),
    ...(sharedKey && { security: { clientHostname: "client", sharedKey, username, password } }),
  });
  logger.on("error", (error) => console.error(error));
  const emit = (n) => new Promise((done, failed) => logger.emit("label", record(n), at(n), (error) => (error ? failed(error) : done())));
  await Promise.all(Array.from({ length: Number(count) }, (_, n) => emit(n).then(() => acked++)));
  await new Promise((done) => logger.end(null, null, done));
}
console.log(JSON.stringify({ acked }));
