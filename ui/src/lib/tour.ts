/** The tour: where each step is, how far somebody has come, and that nobody is asked twice. Kept in this browser only. */
import { useSyncExternalStore } from "react";
import { go } from "./place";

export interface Step {
  id: "changes" | "services" | "severity" | "record" | "search" | "patterns" | "traces" | "map" | "sources";
  /** Where it is: without what somebody has chosen there. */
  address: string;
  /** What it is about. */
  target: string;
}

export const TOUR: readonly Step[] = [
  { id: "changes", address: "/", target: ".changes" },
  { id: "services", address: "/", target: ".overview-services" },
  { id: "severity", address: "/logs", target: '.facet[data-field="severity"]' },
  { id: "record", address: "/logs?q=severity%3Aerror", target: ".log-row" },
  { id: "search", address: "/logs", target: ".search" },
  { id: "patterns", address: "/patterns", target: ".patterns-table" },
  { id: "traces", address: "/traces?errors=1", target: ".trace-row" },
  { id: "map", address: "/services?show=map", target: ".map-scroll" },
  { id: "sources", address: "/sources", target: ".balance" },
];

export interface Progress {
  /** `left` and `done` are never offered again. */
  state: "unasked" | "on" | "left" | "done";
  step: number;
  /** Whether somebody has just gone to this step, and not only come back to the page. */
  fresh: boolean;
}

const KEY = "logkeep.tour";
const STATES: readonly string[] = ["unasked", "on", "left", "done"] satisfies Progress["state"][];

export function parseProgress(text: string | null): Progress {
  const [state = "", number = ""] = (text ?? "").split(" ");
  const step = Number(number);
  if (!STATES.includes(state)) return { state: "unasked", step: 0, fresh: false };
  return { state: state as Progress["state"], step: Number.isInteger(step) && step >= 0 && step < TOUR.length ? step : 0, fresh: false };
}

function stored(): Progress {
  try {
    return parseProgress(window.localStorage.getItem(KEY));
  } catch {
    return parseProgress(null);
  }
}

let progress: Progress | null = null;
const listeners = new Set<() => void>();

function keep(next: Progress): void {
  progress = next;
  try {
    window.localStorage.setItem(KEY, `${next.state} ${next.step}`);
  } catch {
    // Without storage it is forgotten with the page.
  }
  listeners.forEach((listener) => listener());
}

function current(): Progress {
  progress ??= stored();
  return progress;
}

export function useTour(): Progress {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, current);
}

function goTo(step: number): void {
  keep({ state: "on", step, fresh: true });
  go(TOUR[step]!.address);
}

/** Begins it, or goes on where it was left. */
export function beginTour(): void {
  const { state, step } = current();
  goTo(state === "left" || state === "on" ? step : 0);
}

export function leaveTour(): void {
  keep({ ...current(), state: "left" });
}

/** Back or forth; beyond the last one it is done. */
export function toStep(step: number): void {
  if (step >= TOUR.length) keep({ state: "done", step: 0, fresh: false });
  else goTo(Math.max(step, 0));
}

export function isThere(step: Step, pathname: string): boolean {
  const path = step.address.split("?")[0];
  return path === "/" ? pathname === "/" || pathname === "/overview" : pathname === path;
}
