import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

/** WCAG 2: 4.5 to 1 for text, read from the stylesheet itself, so that a new colour cannot slip by. */
const css = readFileSync("src/styles/tokens.css", "utf8");

function block(selector: string): Map<string, string> {
  const start = css.lastIndexOf(`${selector} {`);
  const body = css.slice(start, css.indexOf("}", start));
  return new Map([...body.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((match) => [match[1]!, match[2]!]));
}

function luminance(hex: string): number {
  const channel = (at: number) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const TEXT = ["text", "muted", "accent", "trace", "debug", "info", "warn", "error", "fatal", "ok", "unspecified"];
const GROUND = ["bg", "surface", "raised", "hover", "accent-soft"];

describe.each([[":root", "light"], [':root[data-theme="dark"]', "dark"]])("%s", (selector, name) => {
  const colours = name === "light" ? new Map([...css.slice(0, css.indexOf("@media")).matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1]!, m[2]!])) : block(selector);
  it.each(TEXT)(`${name} %s`, (text) => {
    const low = GROUND.map((ground) => [ground, contrast(colours.get(text)!, colours.get(ground)!)] as const).filter(([, ratio]) => ratio < 4.5);
    expect(low).toEqual([]);
  });
  it.each(["text", "muted"])(`${name} mark in %s`, (text) => expect(contrast(colours.get(text)!, colours.get("sunken")!)).toBeGreaterThan(4.5));
  it(`${name} button`, () => expect(contrast(colours.get("accent-text")!, colours.get("accent")!)).toBeGreaterThan(4.5));
});

it("dark is the same however it is chosen", () => {
  expect(block(':root:not([data-theme="light"])')).toEqual(block(':root[data-theme="dark"]'));
});
