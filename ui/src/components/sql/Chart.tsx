import { compact, visibleLine } from "../../lib/format";
import { linePath, type Chart as Drawn } from "../../lib/sqlChart";
import { localStamp } from "../../lib/time";
import { t } from "../../strings";

const WIDTH = 1000;
const HEIGHT = 120;
const CUT = 80;

/** The answer as a picture. Whoever does not see it has the same in the table below. */
export function Chart({ chart }: { chart: Drawn }) {
  if (chart.kind === "bars") return <Bars chart={chart} />;
  const [first, last] = [chart.points[0], chart.points.at(-1)];
  return (
    <div className="sql-chart" aria-hidden="true">
      <p className="muted">{t.sql.between(compact(chart.least), compact(chart.most))}</p>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none"><path d={linePath(chart, WIDTH, HEIGHT)} /></svg>
      {first && last && <p className="muted sql-ends"><span>{localStamp(first.ns)}</span><span>{localStamp(last.ns)}</span></p>}
    </div>
  );
}

function Bars({ chart: { bars, more, most } }: { chart: Extract<Drawn, { kind: "bars" }> }) {
  return (
    <div className="sql-chart" aria-hidden="true">
      {bars.map(({ name, value }) => (
        <div key={name} className="sql-bar">
          <bdi className="ellipsis" title={visibleLine(name)}>{visibleLine(name.slice(0, CUT))}</bdi>
          <span><span style={{ width: `${(100 * value) / most}%` }} /></span>
          <span>{compact(value)}</span>
        </div>
      ))}
      {more > 0 && <p className="muted">{t.sql.moreBars(more)}</p>}
    </div>
  );
}
