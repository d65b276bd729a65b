/** The view is the URL: one store over `location`, so that links, the back button and clicks are one mechanism. */
import { useCallback, useSyncExternalStore } from "react";
import { formatView, isStep, parseView, type View } from "./url";

const listeners = new Set<() => void>();
let cached = { search: "\0", view: parseView("") };

function current(): View {
  const { search } = window.location;
  if (cached.search !== search) cached = { search, view: parseView(search) };
  return cached.view;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

export function updateView(patch: Partial<View>): void {
  const before = current();
  const after = { ...before, ...patch };
  const search = formatView(after);
  if (search === formatView(before)) return;
  const address = window.location.pathname + search;
  if (isStep(before, after)) window.history.pushState(null, "", address);
  else window.history.replaceState(null, "", address);
  listeners.forEach((listener) => listener());
}

export function useView(): [View, (patch: Partial<View>) => void] {
  const view = useSyncExternalStore(subscribe, current);
  return [view, useCallback(updateView, [])];
}
