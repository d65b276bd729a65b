import { startTransition, useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";
import { t } from "../strings";

/** `value`, once it has stayed the same for `ms`. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

/** True once `active` has lasted for `ms`; false at once when it ends. */
export function useLasting(active: boolean, ms: number): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!active) return setLasting(false);
    const timer = setTimeout(() => setLasting(true), ms);
    return () => clearTimeout(timer);
  }, [active, ms]);
  return active && lasting;
}

/** The first so many, and all once these are on screen: a long table is there as soon as a short one. */
export function useFirst<T>(all: readonly T[], first: number): readonly T[] {
  const [whole, setWhole] = useState(false);
  useEffect(() => startTransition(() => setWhole(true)), []);
  return whole ? all : all.slice(0, first);
}

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = window.matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => window.matchMedia(query).matches,
  );
}

/** The element's width in pixels, kept current. */
export function useWidth<T extends Element>(): [React.RefObject<T | null>, number] {
  const ref = useRef<T>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!ref.current) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

/** Calls `close` on Escape or a press outside of the element. */
export function useDismiss(ref: React.RefObject<HTMLElement | null>, open: boolean, close: () => void): void {
  const latest = useRef(close);
  latest.current = close;
  useEffect(() => {
    if (!open) return;
    const onPointer = (event: PointerEvent) => {
      if (event.target instanceof Node && !ref.current?.contains(event.target)) latest.current();
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      latest.current();
    };
    document.addEventListener("pointerdown", onPointer);
    document.addEventListener("keydown", onKey, true);
    return () => {
      document.removeEventListener("pointerdown", onPointer);
      document.removeEventListener("keydown", onKey, true);
    };
  }, [ref, open]);
}

/** The latest that there was: an error takes none of it away. */
export function useLast<T>(value: T | undefined): T | undefined {
  const last = useRef(value);
  useEffect(() => { last.current = value ?? last.current; }, [value]);
  return value ?? last.current;
}

/** Where the caret of a field is, and how it is put elsewhere once the field has its new text. */
export function useCaret(field: React.RefObject<HTMLInputElement | HTMLTextAreaElement | null>) {
  const [caret, setCaret] = useState(0);
  const after = useRef<number | null>(null);
  // Before the next key: a caret that is moved later would jump back behind what was typed meanwhile.
  useLayoutEffect(() => {
    const at = after.current;
    if (at === null) return;
    after.current = null;
    field.current?.focus();
    field.current?.setSelectionRange(at, at);
  });
  const readCaret = () => setCaret(field.current?.selectionStart ?? 0);
  const putCaret = (at: number) => {
    after.current = at;
    setCaret(at);
  };
  return { caret, readCaret, putCaret };
}

/** The title of the page while the view is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} – ${t.product}`;
    return () => { document.title = t.product; };
  }, [title]);
}

export function copyText(text: string): Promise<boolean> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => copyBySelection(text));
  return Promise.resolve(copyBySelection(text));
}

/** Plain http on another host has no clipboard API; the old way still works there. */
function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "offscreen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
