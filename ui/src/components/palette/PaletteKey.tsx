import { useEffect, useState } from "react";
import { onPalette } from "../../lib/palette";
import { isPaletteKey } from "../../lib/platform";
import { later } from "../later";

export const Palette = later(() => import("./Palette").then((file) => file.Palette));

/** Opens the palette wherever one is, and whatever one types in. */
export function PaletteKey() {
  const [open, setOpen] = useState(false);
  useEffect(() => onPalette(() => setOpen(true)), []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!isPaletteKey(event)) return;
      // The browser's own meaning of it would take one away from here.
      event.preventDefault();
      if (document.querySelector("dialog[open]") === null) setOpen(true);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return open ? <Palette onClose={() => setOpen(false)} /> : null;
}
