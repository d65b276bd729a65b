/** What is called otherwise on a Mac. */
const isMac = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

export const PALETTE_KEYS = isMac ? "⌘ K" : "Ctrl K";

/** The palette is called by the key of the platform: on a Mac, Ctrl+K in a text field cuts to the end of the line. */
export function isPaletteKey({ key, ctrlKey, metaKey, altKey, shiftKey }: KeyboardEvent): boolean {
  return key.toLowerCase() === "k" && !altKey && !shiftKey && (isMac ? metaKey && !ctrlKey : ctrlKey && !metaKey);
}
