import type { OverviewAnswer, OverviewService } from "../../api/types";
import { compact, millis, visibleLine } from "../../lib/format";
import { servicesAddress } from "../../lib/graph/view";
import { bars, errorAddress, ratio, waysOfService } from "../../lib/overview";
import { clock, day, localStamp, toRfc3339, type Range } from "../../lib/time";
import { t } from "../../strings";
import { Link } from "../Nav";
import { Visible } from "../Visible";
import { Ways } from "./Changes";

const CUT = 200;
/** From here on an error rate is worth red. */
const BAD = 0.01;

interface Props {
  answer: OverviewAnswer;
  view: Range;
  width: string;
}

/** A list, and no table: on a phone each service is a block of its own. */
export function Services({ answer, view, width }: Props) {
  const { heads } = t.overview;
  return (
    <section className="overview-services" aria-labelledby="overview-services">
      <h2 id="overview-services">{t.overview.services}</h2>
      <div className="overview-row overview-heads" aria-hidden="true">
        <span>{heads.name}</span><span>{heads.chart}</span><span className="number">{heads.count}</span><span className="number">{heads.errors}</span>
        <span className="number">{heads.p95}</span><span>{heads.newest}</span><span />
      </div>
      <ul className="overview-list">
        {answer.services.map((one) => <Row key={one.service} one={one} seconds={seconds(answer)} view={view} width={width} />)}
      </ul>
    </section>
  );
}

function seconds({ from_ns: from, to_ns: to }: OverviewAnswer): number {
  return Math.max(1, Number(BigInt(to) - BigInt(from)) / 1e9);
}

function Row({ one, seconds: span, view, width }: { one: OverviewService; seconds: number; view: Range; width: string }) {
  const name = one.service.slice(0, CUT) || t.services.noName;
  const { from, to } = view;
  const failing = ratio(one.errors, one.count);
  const what = t.overview.counted[one.counted](one.count);
  return (
    <li className="overview-row overview-service" data-service={one.service}>
      <h3 className="ellipsis"><Link to={servicesAddress({ from, to, service: one.service })} title={visibleLine(name)}><bdi><Visible text={name} /></bdi></Link></h3>
      <Chart one={one} label={t.overview.chart(what, width, one.errors)} />
      <span className="number" title={`${what}, ${t.services.perSecond(one.count / span)}`}>
        {compact(one.count)} <span className="muted unit">{one.counted}</span>
      </span>
      <span className={`number ${one.errors === 0 ? "muted" : failing >= BAD ? "text-error" : ""}`} title={t.services.errorsOf(one.errors, t.services.percent(failing))}>
        <span className="narrow-label">{t.overview.heads.errors}</span> {t.services.percent(failing)}
      </span>
      <P95 ms={one.duration_ms?.p95 ?? null} />
      <Newest one={one} view={view} />
      <Ways ways={waysOfService(one, view)} name={visibleLine(name)} />
    </li>
  );
}

function P95({ ms }: { ms: number | null }) {
  return (
    <span className={`number ${ms === null ? "muted" : ""}`} title={ms === null ? t.overview.noP95 : t.overview.p95(millis(ms))}>
      <span className="narrow-label">{t.overview.heads.p95}</span> {ms === null ? "–" : millis(ms)}
    </span>
  );
}

const WIDTH = 150;
const HEIGHT = 26;
const GAP = 1;

function Chart({ one, label }: { one: OverviewService; label: string }) {
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <line className="spark-base" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {bars(one.series.counts, one.series.errors).map(({ x, width, height, errors }) => {
        const shape = { x: x * WIDTH, width: width * WIDTH - GAP };
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

function Newest({ one, view }: { one: OverviewService; view: Range }) {
  const error = one.newest_error;
  if (error === null) {
    const none = one.errors + one.error_records === 0;
    return <span className="muted newest" title={none ? undefined : t.overview.perhapsTitle}><span className="narrow-label">{t.overview.heads.newest}</span> {none ? t.overview.noError : t.overview.perhaps}</span>;
  }
  const ns = BigInt(error.time_ns);
  const text = error.text.slice(0, CUT);
  return (
    <Link className="newest ellipsis" to={errorAddress(one.service, error, view)} title={visibleLine(`${localStamp(ns)} · ${text}`)}>
      <time dateTime={toRfc3339(ns)}>{recent(ns) ? clock(ns, false) : `${day(ns)} ${clock(ns, false)}`}</time> <bdi><Visible text={text || t.list.empty} /></bdi>
    </Link>
  );
}

function recent(ns: bigint): boolean {
  return Date.now() - Number(ns / 1_000_000n) < 20 * 3_600_000;
}
