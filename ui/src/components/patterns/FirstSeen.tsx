import { clock, day, localStamp, toRfc3339, widthText } from "../../lib/time";
import { t } from "../../strings";

/** Local time; when that was from now on, and UTC, in its title. */
export function FirstSeen({ ns: text, long = false }: { ns: string | null; long?: boolean }) {
  if (text === null) return <span className="muted" title={t.patterns.notListed}>–</span>;
  const ns = BigInt(text);
  const ago = BigInt(Date.now()) * 1_000_000n - ns;
  return (
    <time dateTime={toRfc3339(ns)} title={`${localStamp(ns)} · ${t.time.utc(toRfc3339(ns))}`}>
      {long ? localStamp(ns) : `${day(ns)} ${clock(ns, false)}`} {ago > 0n && <span className="muted">{t.patterns.ago(widthText(coarse(ago)))}</span>}
    </time>
  );
}

const COARSE_NS = [86_400_000_000_000n, 3_600_000_000_000n, 60_000_000_000n, 1_000_000_000n];

/** In whole units: nobody needs a tenth of a minute. */
function coarse(ns: bigint): bigint {
  const unit = COARSE_NS.find((one) => ns >= one) ?? 1_000_000_000n;
  return ns < unit ? unit : (ns / unit) * unit;
}
