/**
 * Takes the time from an input to its painted result, inside of the page. The start is the `timeStamp` of the last event of the keyboard or the pointer
 * (the browser has it from the moment at which the input came to it). In each frame one looks whether the result is in the document: the address is the
 * new one, what was asked for is answered, the list is not the one of before, and the element is there. The end is the first task after that frame, by
 * which it was drawn.
 */

/** Runs in the page before anything of its own. With `first` it takes how long that is from the start of the navigation. */
export function install({ first, longestMs }) {
  // It never ends.
  const TAIL = "/api/v1/tail";
  const asking = new Map();
  const ask = window.fetch;
  window.fetch = async (...all) => {
    const path = new URL(all[0] instanceof Request ? all[0].url : all[0], location.href).pathname;
    asking.set(path, (asking.get(path) ?? 0) + 1);
    try {
      return await ask(...all);
    } finally {
      asking.set(path, asking.get(path) - 1);
    }
  };
  const isAsking = (paths) => paths.some((path) => (asking.get(`/api/v1/${path}`) ?? 0) > 0);

  let last = null;
  for (const kind of ["keydown", "pointerup"]) {
    addEventListener(kind, (event) => { if (event.isTrusted) last = event.timeStamp; }, { capture: true, passive: true });
  }

  const is = ({ path, changed = {}, asks = [], there, value, old = ".list.stale" }) => {
    const params = new URLSearchParams(location.search);
    return (path === undefined || location.pathname === path)
      && Object.entries(changed).every(([name, before]) => params.get(name) !== before)
      && !isAsking(asks)
      && document.querySelector(old) === null
      && (there === undefined || document.querySelector(there) !== null)
      && (value === undefined || document.querySelector("#search")?.value === value);
  };

  /** Begins to look; `took` has the promise of the milliseconds. */
  const arm = (spec, start = null) => {
    last = start;
    const until = performance.now() + longestMs;
    probe.took = new Promise((resolve, reject) => {
      const look = () => {
        if (last !== null && is(spec)) {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => resolve(performance.now() - last);
          port2.postMessage(null);
        } else if (performance.now() > until) reject(new Error(`no result after ${longestMs} ms: ${JSON.stringify(spec)}`));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    probe.took.catch(() => undefined);
  };

  /** Once nothing has been asked for or changed for some frames; or, after a while, what is asked for still. */
  const quiet = (frames) => new Promise((resolve) => {
    const until = performance.now() + 4 * longestMs;
    let left = frames;
    const look = () => {
      const busy = [...asking].some(([path, count]) => count > 0 && path !== TAIL) || document.querySelector(".stale") !== null;
      left = busy ? frames : left - 1;
      if (left <= 0) resolve([]);
      else if (performance.now() > until) resolve([...asking].filter(([, count]) => count > 0).map(([path]) => path));
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });

  /** Frames from now on: the longest time between two, and what the browser itself calls long. */
  const frames = () => {
    const seen = { longest: 0, count: 0, long: 0, on: true };
    new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) seen.long = Math.max(seen.long, duration); })
      .observe({ type: "long-animation-frame" });
    let before = performance.now();
    const look = (now) => {
      seen.longest = Math.max(seen.longest, now - before);
      seen.count++;
      before = now;
      if (seen.on) requestAnimationFrame(look);
    };
    requestAnimationFrame((now) => { before = now; requestAnimationFrame(look); });
    probe.seen = seen;
  };

  const probe = { arm, quiet, frames, is };
  window.__bench = probe;
  if (first) arm(first, 0);
}
