import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadAhead } from "../src/lib/ahead";

beforeEach(() => {
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("document", { readyState: "complete" });
  vi.stubGlobal("navigator", {});
});
afterEach(() => vi.unstubAllGlobals());

const rest = () => new Promise((resolve) => setTimeout(resolve));

function idle() {
  const waiting: (() => void)[] = [];
  vi.stubGlobal("requestIdleCallback", (work: () => void) => waiting.push(work));
  return waiting;
}

test("one file is loaded at a time, and only when there is nothing else to do", async () => {
  const waiting = idle();
  const loaded: string[] = [];
  const file = (name: string) => () => Promise.resolve(loaded.push(name));
  loadAhead([file("logs"), () => Promise.reject(new Error("away")), file("traces")]);
  expect(loaded).toEqual([]);
  for (const expected of [["logs"], ["logs"], ["logs", "traces"]]) {
    expect(waiting).toHaveLength(1);
    waiting.pop()!();
    await rest();
    expect(loaded).toEqual(expected);
  }
  expect(waiting).toEqual([]);
});

test("nothing is loaded ahead where data is to be saved", () => {
  const waiting = idle();
  vi.stubGlobal("navigator", { connection: { saveData: true } });
  loadAhead([() => Promise.resolve()]);
  expect(waiting).toEqual([]);
});
