import { useLayoutEffect, useState, type ComponentType, type ReactNode } from "react";
import { t } from "../strings";
import { Sheet } from "./Sheet";

type State = "waits" | "there" | "failed";
interface Instead {
  meanwhile?: ReactNode;
  failed?: ReactNode;
}
type Later<P> = ComponentType<P> & { load: () => Promise<void> };

/**
 * A component in a file of its own. It is shown as soon as that is there, and at once where it was loaded before: React's
 * own `lazy` begins to wait even then, and shows nothing that was waited for within 300 ms.
 */
export function later<P extends object>(file: () => Promise<ComponentType<P>>, { meanwhile = null, failed = <NotLoaded /> }: Instead = {}): Later<P> {
  let Loaded: ComponentType<P> | null = null;
  let loading: Promise<void> | null = null;
  const load = () => {
    loading ??= file().then(
      (component) => { Loaded = component; },
      (error: unknown) => { loading = null; throw error; },
    );
    return loading;
  };
  function Awaited(props: P) {
    const [state, setState] = useState<State>(Loaded ? "there" : "waits");
    useLayoutEffect(() => {
      if (state !== "waits") return;
      let here = true;
      const then = (next: State) => () => { if (here) setState(next); };
      load().then(then("there"), then("failed"));
      return () => { here = false; };
    }, [state]);
    if (Loaded) return <Loaded {...props} />;
    return state === "failed" ? failed : meanwhile;
  }
  return Object.assign(Awaited, { load });
}

/** One that is all there is beside the tour. */
export function laterPage<P extends object>(file: () => Promise<ComponentType<P>>): Later<P> {
  return later(file, { failed: <Sheet title={t.states.notLoaded}><LoadAnew /></Sheet> });
}

function NotLoaded() {
  return (
    <div className="not-loaded" role="alert">
      <h2>{t.states.notLoaded}</h2>
      <LoadAnew />
    </div>
  );
}

/** The files of an earlier build are gone once the server is of the next, so what helps is the whole page anew. */
function LoadAnew() {
  return (
    <>
      <p>{t.states.notLoadedText}</p>
      <button type="button" className="button" onClick={() => window.location.reload()}>{t.states.loadAnew}</button>
    </>
  );
}
