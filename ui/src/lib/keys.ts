/** The keyboard, in one place. Nothing here fires while a text field has the focus, Escape aside. */
import { useEffect, useRef } from "react";
import { t, type KeyRow } from "../strings";
import { compareAddress } from "./compare";
import { commandsOfRows, type PageCommand } from "./palette";
import { go } from "./place";
import { isLive, shift, zoomOut } from "./time";
import { pathByKey, viewAddress, type View } from "./url";
import type { Rows } from "./pages";
import type { Tail } from "./useTail";

export interface KeyTargets {
  view: View;
  update(patch: Partial<View>): void;
  rows: Rows;
  range: { fromNs: bigint; toNs: bigint };
  tail: Tail;
  refresh(): void;
  openRecord(id: string | null): void;
  toggleFacets(): void;
  shortcuts: boolean;
  setShortcuts(open: boolean): void;
}

/** The list listens to these, because only it knows its cursor. */
export const MOVE = "logkeep:move";
export type Move = "down" | "up" | "open" | "top" | "mark";

export function move(step: Move): void {
  document.dispatchEvent(new CustomEvent<Move>(MOVE, { detail: step }));
}

export function focusSearch(): void {
  const input = document.querySelector<HTMLInputElement>("#search");
  input?.focus();
  input?.select();
}

/** A dialog that a button opens, which is not there for everybody. */
export function press(button: ".views-button" | ".export-button"): void {
  document.querySelector<HTMLButtonElement>(button)?.click();
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}

/** Space and Enter belong to a focused button, link or the histogram. */
function isControl(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("button, a, summary, [role=slider], [role=tab]") !== null;
}

function escape(k: KeyTargets): boolean {
  if (k.shortcuts) k.setShortcuts(false);
  else if (k.view.record) k.openRecord(null);
  else return false;
  return true;
}

type Action = (k: KeyTargets) => void;

const nowNs = () => BigInt(Date.now()) * 1_000_000n;

const ACTIONS: { [key: string]: Action } = {
  "/": () => focusSearch(),
  j: () => move("down"),
  k: () => move("up"),
  ArrowDown: () => move("down"),
  ArrowUp: () => move("up"),
  g: () => move("top"),
  t: (k) => k.update(toggledTail(k.view)),
  "[": (k) => k.update(shift(k.range.fromNs, k.range.toNs, -1)),
  "]": (k) => k.update(shift(k.range.fromNs, k.range.toNs, 1)),
  "-": (k) => k.update(zoomOut(k.view, k.range.fromNs, k.range.toNs, nowNs())),
  r: (k) => k.refresh(),
  o: (k) => k.update({ order: k.view.order === "desc" ? "asc" : "desc" }),
  f: (k) => k.toggleFacets(),
  c: ({ view: { q, from, to, template } }) => go(compareAddress({ q, from, to, template })),
  e: () => press(".export-button"),
  "?": (k) => k.setShortcuts(true),
};

const CONTROL_ACTIONS: { [key: string]: Action } = {
  Enter: () => move("open"),
  " ": (k) => (k.tail.state === "paused" ? k.tail.resume() : k.tail.pause()),
};

/** Starting the tail from a fixed range goes back to the last 15 minutes. */
export function liveRange(view: View): { from: string; to: string } {
  return isLive(view) ? { from: view.from, to: view.to } : { from: "-15m", to: "now" };
}

function toggledTail(view: View): Partial<View> {
  if (view.template !== "") return {};
  return view.tail && isLive(view) ? { tail: false } : { ...liveRange(view), tail: true, order: "desc" };
}

export function useKeys(targets: KeyTargets): void {
  const bind = (actions: { [key: string]: Action }): Actions =>
    Object.fromEntries(Object.entries(actions).map(([key, action]) => [key, () => action(targets)]));
  usePageKeys({ keys: bind(ACTIONS), onControls: bind(CONTROL_ACTIONS), escape: () => escape(targets), asleep: targets.shortcuts, help: t.keys.rows });
}

export interface Actions {
  [key: string]: () => void;
}

interface PageKeys {
  keys: Actions;
  /** What a control that has the focus keeps for itself. */
  onControls?: Actions;
  /** Whether there was anything to close. */
  escape(): boolean;
  asleep: boolean;
  /** What each key does, in words. */
  help: readonly KeyRow[];
}

let onScreen: PageKeys | null = null;

/** What the page on screen can be told to do. */
export function commandsOnScreen(): PageCommand[] {
  return onScreen ? commandsOfRows(onScreen.help, onScreen.keys) : [];
}

/** Dialogs in which one types: the keys are for them, Escape among them. */
const TYPED_IN = "dialog.views[open], dialog.palette[open]";

/** The keys of every view lead to the others. */
export function usePageKeys(page: PageKeys): void {
  const latest = useRef(page);
  latest.current = page;
  useEffect(() => {
    onScreen = page;
    return () => { if (onScreen === page) onScreen = null; };
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { keys, onControls = {}, escape: close, asleep } = latest.current;
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector(TYPED_IN) !== null) return;
      if (event.key === "Escape") {
        if (isTyping(event.target)) (event.target as HTMLElement).blur();
        else if (close()) event.preventDefault();
        return;
      }
      if (isTyping(event.target) || asleep) return;
      const view = pathByKey(event.key);
      const action = view ? () => go(viewAddress(view)) : event.key === "v" ? () => press(".views-button") : (keys[event.key] ?? (isControl(event.target) ? undefined : onControls[event.key]));
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
