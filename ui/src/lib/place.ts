/** Where one is: one store over `location`, so that links, the back button and clicks are one mechanism on every page. */
import { useCallback, useMemo, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

/** Shows another address, without loading anything that is loaded already. */
export function go(address: string, how: "push" | "replace" = "push"): void {
  if (address === window.location.pathname + window.location.search) return;
  if (how === "push") window.history.pushState(null, "", address);
  else window.history.replaceState(null, "", address);
  listeners.forEach((listener) => listener());
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => window.location.pathname);
}

/** How a page writes what it shows into its address, and reads it from there. */
export interface Codec<V> {
  parse(search: string): V;
  format(view: V): string;
  /** The change that a step back should undo; every other replaces the address in place. */
  isStep(before: V, after: V): boolean;
}

export function useViewOf<V>(codec: Codec<V>): [V, (patch: Partial<V>) => void] {
  const search = useSyncExternalStore(subscribe, () => window.location.search);
  const view = useMemo(() => codec.parse(search), [codec, search]);
  const update = useCallback((patch: Partial<V>) => {
    const before = codec.parse(window.location.search);
    const after = { ...before, ...patch };
    go(window.location.pathname + codec.format(after), codec.isStep(before, after) ? "push" : "replace");
  }, [codec]);
  return [view, update];
}
