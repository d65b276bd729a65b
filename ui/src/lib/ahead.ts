/** Files that somebody will want soon, loaded while nothing else is to be done. */

/** Whoever cannot be told that nothing is to be done (Safari) waits so long. */
const LATER_MS = 1_000;

const whenIdle = (work: () => void) => {
  if ("requestIdleCallback" in window) window.requestIdleCallback(work);
  else setTimeout(work, LATER_MS);
};

/** One after the other, once the page itself is loaded; none where the browser is to save data. What fails is loaded when it is needed. */
export function loadAhead(files: (() => Promise<unknown>)[]): void {
  const connection = (navigator as { connection?: { saveData?: boolean } }).connection;
  if (connection?.saveData === true) return;
  const next = (at: number) => {
    const load = files[at];
    if (load) whenIdle(() => void load().catch(() => undefined).then(() => next(at + 1)));
  };
  if (document.readyState === "complete") next(0);
  else window.addEventListener("load", () => next(0), { once: true });
}
