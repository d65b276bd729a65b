import { expect, it } from "vitest";
import { FRAME_LIMIT, openTail, type Source, type TailEvents } from "../src/api/tail";

class FakeSource implements Source {
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  readyState = 0;
  closed = false;
  private listeners = new Map<string, (event: MessageEvent<string>) => void>();
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void) { this.listeners.set(type, listener); }
  close() { this.closed = true; }
  emit(type: string, value: unknown) { this.listeners.get(type)?.({ data: typeof value === "string" ? value : JSON.stringify(value) } as MessageEvent<string>); }
  open() { this.onopen?.({} as Event); }
  fail(readyState: number) { this.readyState = readyState; this.onerror?.({} as Event); }
}

function start() {
  const sources: FakeSource[] = [];
  const frames: (() => void)[] = [];
  const timers: (() => void)[] = [];
  const log: string[] = [];
  const events: TailEvents = {
    open: (again) => log.push(again ? "again" : "open"),
    records: (records) => log.push(`records ${records.map((record) => record.id).join(",").slice(0, 20)} (${records.length})`),
    lost: (total) => log.push(`lost ${total}`),
    away: () => log.push("away"),
    refused: (error) => log.push(`refused ${error.code}`),
  };
  const stop = openTail("/tail", events, {
    connect: () => { const source = new FakeSource(); sources.push(source); return source; },
    frame: (run) => frames.push(run),
    later: (run) => { timers.push(run); return () => timers.splice(timers.indexOf(run), 1); },
  });
  return { sources, frames, timers, log, stop };
}

it("paints once a frame", () => {
  const { sources, frames, log } = start();
  sources[0]!.open();
  sources[0]!.emit("record", { id: "a" });
  sources[0]!.emit("record", { id: "b" });
  expect(frames).toHaveLength(1);
  frames[0]!();
  expect(log).toEqual(["open", "records a,b (2)"]);
});

it("counts what the page and the server dropped, over reconnects", () => {
  const { sources, frames, log } = start();
  sources[0]!.open();
  for (let i = 0; i < FRAME_LIMIT + 2; i++) sources[0]!.emit("record", { id: String(i) });
  sources[0]!.emit("status", { matched: 9, sent: 4, dropped: 5 });
  sources[0]!.emit("status", { matched: 9, sent: 4, dropped: 5 });
  frames[0]!();
  sources[0]!.fail(0);
  sources[0]!.open();
  sources[0]!.emit("status", { matched: 1, sent: 0, dropped: 1 });
  expect(log.filter((line) => line.startsWith("lost"))).toEqual(["lost 1", "lost 2", "lost 7", "lost 8"]);
  expect(log.filter((line) => line.startsWith("records 2,3,4,") && line.endsWith(`(${FRAME_LIMIT})`))).toHaveLength(1);
  expect(log.slice(-3)).toEqual(["away", "again", "lost 8"]);
});

it("connects anew where the browser gives up", () => {
  const { sources, timers, log, stop } = start();
  sources[0]!.open();
  sources[0]!.fail(2);
  timers[0]!();
  sources[1]!.open();
  expect(log).toEqual(["open", "away", "again"]);
  stop();
  expect(sources[1]!.closed).toBe(true);
});

it("stops at a refusal and survives a line that is no JSON", () => {
  const { sources, frames, log } = start();
  sources[0]!.emit("record", "{broken");
  sources[0]!.emit("record", { id: "a" });
  frames[0]!();
  sources[0]!.emit("error", { error: { code: "bad_query", message: "no" } });
  expect(sources[0]!.closed).toBe(true);
  expect(log).toEqual(["records a (1)", "refused bad_query"]);
});
