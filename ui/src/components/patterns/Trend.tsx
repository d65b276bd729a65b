import type { Pattern } from "../../api/types";
import { barPath, moodOf } from "../../lib/patterns";
import { t } from "../../strings";

const WIDTH = 130;
const HEIGHT = 22;

/** How many came when. One path, because there is one in each of hundreds of rows. */
export function Trend({ one }: { one: Pattern }) {
  if (one.count === 0) return <span className="muted">–</span>;
  const mood = moodOf(one);
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={t.patterns.trendLabel(one.count, Math.max(...one.series), one.series.length)}>
      <line className="spark-base" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      <path className={mood === "info" ? "spark-bar" : `fill-${mood}`} d={barPath(one.series, WIDTH, HEIGHT - 1)} />
    </svg>
  );
}
