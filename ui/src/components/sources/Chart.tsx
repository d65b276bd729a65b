import type { Source } from "../../api/types";
import type { LedgerOf } from "../../api/ledger";
import { bars } from "../../lib/overview";
import { slots, type Slot } from "../../lib/sources";
import { t } from "../../strings";

/** The slots of a source over the range of the answer; null where there were too many sources to ask of each. */
export function slotsOf(source: Source, { answer, grain, widthMs }: LedgerOf): Slot[] | null {
  if (!source.series) return null;
  const from = Date.parse(answer.from);
  // The first minute is counted in full, so there is a part of a minute more.
  return slots(source.series, from, from + widthMs + (grain.step === "minute" ? 60_000 : 0), grain.slotMs);
}

const WIDTH = 150;
const HEIGHT = 26;
const GAP = 1;

/** Received over time, and in red what was not kept. */
export function Chart({ shown, className = "" }: { shown: Slot[]; className?: string }) {
  const sum = (of: (slot: Slot) => number) => shown.reduce((all, slot) => all + of(slot), 0);
  const label = t.sources.chart(t.records(sum(({ received }) => received)), sum(({ lost }) => lost));
  return (
    <svg className={`spark ${className}`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <line className="spark-base" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {bars(shown.map(({ received }) => received), shown.map(({ lost }) => lost)).map(({ x, width, height, errors }) => {
        const shape = { x: x * WIDTH, width: Math.max(0.5, width * WIDTH - GAP) };
        const [tall, bad] = [height * (HEIGHT - 1), errors * (HEIGHT - 1)];
        return (
          <g key={x}>
            <rect className="spark-bar" {...shape} y={HEIGHT - 1 - tall} height={tall - bad} />
            {bad > 0 && <rect className="fill-error" {...shape} y={HEIGHT - 1 - bad} height={bad} />}
          </g>
        );
      })}
    </svg>
  );
}
