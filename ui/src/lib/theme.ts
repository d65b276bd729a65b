/** Light, dark, or as the system says. Kept in this browser only: it is the reader's, not the link's. */
import { useState } from "react";

export type Theme = "auto" | "light" | "dark";
const KEY = "logkeep.theme";

function stored(): Theme {
  try {
    const value = window.localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto";
  }
}

export function applyTheme(theme: Theme = stored()): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState(stored);
  const next = () => {
    const following: { [theme in Theme]: Theme } = { auto: "light", light: "dark", dark: "auto" };
    const chosen = following[theme];
    setTheme(chosen);
    applyTheme(chosen);
    try {
      window.localStorage.setItem(KEY, chosen);
    } catch {
      // A browser that keeps nothing still shows the theme until the page closes.
    }
  };
  return [theme, next];
}
