import { useEffect, useRef } from "react";
import { useSession } from "../../api/session";
import { useStatus } from "../../api/queries";
import { go, usePath } from "../../lib/place";
import { TOUR, beginTour, isThere, leaveTour, toStep, useTour, type Step } from "../../lib/tour";
import { t } from "../../strings";
import "../../styles/tour.css";

/** Whom the server of `logkeep demo` lets in. */
const GUEST = "demo";
const LOOK_MS = 300;

/** What is offered once to whom it may help, and the step that one is at. */
export function Tour() {
  const { state, step, fresh } = useTour();
  if (state === "on") return <Shown step={step} fresh={fresh} />;
  return state === "unasked" ? <Offer /> : null;
}

/** To guests of the demonstration, and where nothing was ever sent. */
function Offer() {
  const session = useSession();
  const status = useStatus();
  const isEmpty = status.data?.records === 0 && status.data.newest_ns === null;
  if (!isEmpty && session.data?.name !== GUEST) return null;
  return (
    <aside className="tour" aria-label={t.tour.label}>
      <p>{t.tour.offer}</p>
      <p className="buttons">
        <button type="button" className="button primary" onClick={beginTour}>{t.tour.begin}</button>
        <button type="button" className="button" onClick={leaveTour}>{t.tour.notNow}</button>
      </p>
    </aside>
  );
}

function Shown({ step: at, fresh }: { step: number; fresh: boolean }) {
  const step = TOUR[at]!;
  const path = usePath();
  const panel = useRef<HTMLElement>(null);
  useEffect(() => { if (fresh) panel.current?.focus(); }, [step, fresh]);
  usePointing(step);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 }[event.key];
    if (event.key === "Escape") leaveTour();
    else if (to !== undefined && to >= 0) toStep(to);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const { title, text } = t.tour.steps[step.id];
  return (
    <aside className="tour" ref={panel} tabIndex={-1} aria-label={t.tour.label} aria-describedby="tour-text" onKeyDown={onKeyDown}>
      <p className="muted">{t.tour.place(at + 1, TOUR.length)}</p>
      <h2>{title}</h2>
      <p id="tour-text" aria-live="polite">{text}</p>
      <p className="buttons">
        {at > 0 && <button type="button" className="button" onClick={() => toStep(at - 1)}>{t.tour.back}</button>}
        {!isThere(step, path) && <button type="button" className="button" onClick={() => go(step.address)}>{t.tour.there}</button>}
        <button type="button" className="button primary" onClick={() => toStep(at + 1)}>{at + 1 < TOUR.length ? t.tour.next : t.tour.end}</button>
        <button type="button" className="link" onClick={leaveTour}>{t.tour.leave}</button>
      </p>
    </aside>
  );
}

/** Marks what the step is about, also where it comes later or is drawn anew. */
function usePointing({ target }: Step): void {
  useEffect(() => {
    let marked: Element | null = null;
    const mark = (element: Element | null) => {
      if (element === marked) return;
      marked?.removeAttribute("data-tour");
      element?.setAttribute("data-tour", "");
      marked = element;
    };
    const look = () => mark(document.querySelector(target));
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => {
      clearInterval(timer);
      mark(null);
    };
  }, [target]);
}
