import { describe, expect, it } from "vitest";
import { absoluteNs, absoluteRange, around, durationNs, isBound, isLive, shift, tickStep, toRfc3339, widthText, zoomOut } from "../src/lib/time";

const SECOND = 1_000_000_000n;

describe("absoluteNs", () => {
  const check = (text: string, expected: bigint | null) => it(text, () => expect(absoluteNs(text)).toBe(expected));
  check("2026-11-20T10:00:00Z", 1795168800n * SECOND);
  check("2026-11-20T10:00:00.123456789Z", 1795168800123456789n);
  check("2026-11-20t12:00:00+02:00", 1795168800n * SECOND);
  check("1795168800", 1795168800n * SECOND);
  check("1795168800123", 1795168800123n * 1_000_000n);
  check("1795168800123456789", 1795168800123456789n);
  check("-15m", null);
  check("now", null);
  check("2026-13-40T10:00:00Z", null);
  check("yesterday", null);
});

it("text without an offset is local", () => {
  expect(absoluteNs("2026-11-20 10:00")).toBe(BigInt(new Date(2026, 10, 20, 10).getTime()) * 1_000_000n);
});

it("RFC 3339 keeps every digit and goes both ways", () => {
  for (const ns of [0n, 1n, 1795168800123456789n, 1795168800n * SECOND]) expect(absoluteNs(toRfc3339(ns))).toBe(ns);
  expect(toRfc3339(-1n)).toBe("1969-12-31T23:59:59.999999999Z");
  expect(toRfc3339(1795168800123000000n)).toBe("2026-11-20T10:00:00.123Z");
});

describe("bounds", () => {
  it("knows them", () => {
    for (const text of ["now", "-15m", "-7d", "-1w", "1795168800", "2026-11-20T10:00:00Z"]) expect(isBound(text)).toBe(true);
    for (const text of ["", "15m", "-m", "-15y", "soon", "<script>"]) expect(isBound(text)).toBe(false);
    expect(isLive({ from: "-15m", to: "now" })).toBe(true);
    expect(isLive({ from: "2026-11-20T10:00:00Z", to: "now" })).toBe(false);
    expect(durationNs("-2h")).toBe(7200n * SECOND);
  });
});

describe("moving", () => {
  const [from, to] = [1000n * SECOND, 1100n * SECOND];
  it("zooms out around the centre, not into the future", () => {
    const fixed = absoluteRange(from, to);
    expect(zoomOut(fixed, from, to, 5000n * SECOND)).toEqual(absoluteRange(950n * SECOND, 1150n * SECOND));
    expect(zoomOut(fixed, from, to, 1110n * SECOND)).toEqual(absoluteRange(950n * SECOND, 1110n * SECOND));
    expect(zoomOut({ from: "-15m", to: "now" }, from, to, to)).toEqual({ from: "-30m", to: "now" });
  });
  it("shifts by half", () => expect(shift(from, to, -1)).toEqual(absoluteRange(950n * SECOND, 1050n * SECOND)));
  it("jumps around a moment that is inside", () => {
    for (const end of ["newest", "oldest"] as const) {
      const range = around(1050n * SECOND, 100n * SECOND, end);
      expect(absoluteNs(range.from)! < 1050n * SECOND && 1050n * SECOND < absoluteNs(range.to)!).toBe(true);
    }
  });
  it("never makes an empty range", () => expect(absoluteRange(5n, 5n).from).not.toBe(absoluteRange(5n, 5n).to));
});

it("axis steps are round and widths read well", () => {
  expect(tickStep(61n * SECOND)).toBe(120n * SECOND);
  expect(tickStep(200_000n * SECOND)).toBe(3n * 86_400n * SECOND);
  expect([widthText(15n * SECOND), widthText(5_400n * SECOND), widthText(12n)]).toEqual(["15 s", "1.5 h", "12 ns"]);
});
