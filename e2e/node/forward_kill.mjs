/** Sends events with a client that awaits acks, each again until it is acked, and prints `N ATTEMPTS` of each that was. Ends with its
 * input. Arguments: PORT WORD MODE. */
import { FluentClient } from "@fluent-org/logger";

const [port, word, eventMode] = process.argv.slice(2);
const TOGETHER = 64;
let next = 0;
let over = false;
process.stdin.on("end", () => (over = true)).resume();

const logger = new FluentClient("tag", {
  eventMode,
  ack: { ackTimeout: 1_500 },
  socket: { host: "127.0.0.1", port: Number(port), timeout: 30_000, reconnect: { delay: 20, maxDelay: 100 } },
});
// Without a listener the loss of a connection would end the program.
logger.socketOn("error", () => {});

async function sendUntilAcked(n) {
  for (let attempts = 1; ; attempts++) {
    try {
      await logger.emit("label", { message: `${word} number ${n}`, n });
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

await Promise.all(Array.from({ length: TOGETHER }, oneAfterTheOther));
await logger.disconnect();
