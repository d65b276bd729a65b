/** Light, dark, or as the system says. Kept in this browser only: it is the reader's, not the link's. */
import { useSyncExternalStore } from "react";

export type Theme = "auto" | "light" | "dark";
export const THEMES: readonly Theme[] = ["auto", "light", "dark"];
const KEY = "logkeep.theme";

function stored(): Theme {
  try {
    const value = window.localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto";
  }
}

let current: Theme | null = null;
const listeners = new Set<() => void>();

function theme(): Theme {
  current ??= stored();
  return current;
}

export function applyTheme(): void {
  const chosen = theme();
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

export function setTheme(chosen: Theme): void {
  current = chosen;
  applyTheme();
  try {
    window.localStorage.setItem(KEY, chosen);
  } catch {
    // A browser that keeps nothing still shows the theme until the page closes.
  }
  listeners.forEach((listener) => listener());
}

export function useTheme(): [Theme, () => void] {
  const shown = useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, theme);
  return [shown, () => setTheme(THEMES[(THEMES.indexOf(shown) + 1) % THEMES.length]!)];
}
