import { STEPS } from "../../lib/graph/view";
import { clock, day, widthText } from "../../lib/time";
import { t } from "../../strings";

interface Bounds {
  fromNs: bigint;
  toNs: bigint;
}

interface Props {
  step: number;
  part: Bounds | null;
  range: Bounds;
  choose(step: number): void;
}

const DAY_NS = 86_400_000_000_000n;

/** Which part of the range the map and the tables show. The one in front of the first is all of it. */
export function TimeStep({ step, part, range, choose }: Props) {
  const stamp = (ns: bigint) => (range.toNs - range.fromNs > DAY_NS ? `${day(ns)} ${clock(ns, false)}` : clock(ns, false));
  const text = part ? t.services.partOf(stamp(part.fromNs), stamp(part.toNs), widthText(part.toNs - part.fromNs)) : t.services.wholeRange;
  return (
    <div className="time-step">
      <label htmlFor="time-step">{t.services.timeStep}</label>
      <input id="time-step" type="range" min={0} max={STEPS} step={1} value={step} aria-valuetext={text} onChange={(event) => choose(Number(event.target.value))} />
      <output htmlFor="time-step">{text}</output>
      {step > 0 && <button type="button" className="link" onClick={() => choose(0)}>{t.services.wholeRange}</button>}
    </div>
  );
}
