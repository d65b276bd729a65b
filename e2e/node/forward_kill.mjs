/** Sends events with a client that awaits acks, each again until it is acked, and prints `N ATTEMPTS` of each that was. Ends with its
 * input. Arguments: CLIENT PORT WORD MODE. */
import { FluentClient } from "@fluent-org/logger";
import fluent from "fluent-logger";

const [client, port, word, eventMode] = process.argv.slice(2);
const ACK_MS = 1_500;
let next = 0;
let over = false;
process.stdin.on("end", () => (over = true)).resume();

function fluentOrg() {
  const logger = new FluentClient("tag", {
    eventMode,
    ack: { ackTimeout: ACK_MS },
    socket: { host: "127.0.0.1", port: Number(port), timeout: 30_000, reconnect: { delay: 20, maxDelay: 100 } },
  });
  // Without a listener the loss of a connection would end the program.
  logger.socketOn("error", () => {});
  return { together: 64, emit: (event) => logger.emit("label", event), end: () => logger.disconnect() };
}

/** Some events and ends this client forgets, where a connection goes at the wrong moment. */
function inTime(promise) {
  return Promise.race([promise, new Promise((_, failed) => setTimeout(failed, 2 * ACK_MS, new Error("forgotten")))]);
}

function fluentLogger() {
  const logger = fluent.createFluentSender("tag", {
    host: "127.0.0.1", port: Number(port), eventMode, requireAckResponse: true, ackResponseTimeout: ACK_MS, timeout: 30,
    reconnectInterval: 50, flushInterval: 5, internalLogger: { info: () => {}, error: () => {} },
  });
  logger.on("error", () => {});
  const emit = (event) => inTime(new Promise((done, failed) => logger.emit("label", event, (error) => (error ? failed(error) : done()))));
  // It takes the next answer for that of each event it has sent.
  return { together: 1, emit, end: () => inTime(new Promise((done) => logger.end(null, null, done))).catch(() => {}) };
}

const { together, emit, end } = client === "fluent-org" ? fluentOrg() : fluentLogger();

async function sendUntilAcked(n) {
  for (let attempts = 1; ; attempts++) {
    try {
      await emit({ message: `${word} number ${n}`, n });
      console.log(`${n} ${attempts}`);
      return;
    } catch {
      // No ack in time: the client takes a new chunk id, so it may be stored again.
    }
  }
}

async function oneAfterTheOther() {
  while (!over) await sendUntilAcked(next++);
}

await Promise.all(Array.from({ length: together }, oneAfterTheOther));
await end();
process.exit(0);
