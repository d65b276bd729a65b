import type { Change, OverviewAnswer } from "../../api/types";
import { millis, visibleLine } from "../../lib/format";
import { known, mood, waysOf, type Way } from "../../lib/overview";
import { clock, widthText, type Range } from "../../lib/time";
import { t } from "../../strings";
import { Icon, type IconName } from "../Icon";
import { Link } from "../Nav";
import { Visible } from "../Visible";

const CUT = 200;

interface Props {
  answer: OverviewAnswer;
  view: Range;
  width: string;
}

export function Changes({ answer, view, width }: Props) {
  const changes = known(answer.changes);
  return (
    <section className="changes" aria-labelledby="changed">
      <h2 id="changed">{t.overview.changed} <span className="muted">{t.overview.against(width)}</span></h2>
      {changes.length > 0
        ? <ol className="change-list">{changes.map((change, at) => <One key={`${change.kind} ${change.service} ${at}`} change={change} answer={answer} view={view} />)}</ol>
        : <p className="overview-note muted">{answer.compared ? t.overview.none(width) : t.overview.noBefore(width)}</p>}
      {changes.length > 0 && !answer.compared && <p className="overview-note muted">{t.overview.noBefore(width)}</p>}
      {answer.more_changes > 0 && <p className="overview-note muted">{t.overview.moreChanges(answer.more_changes)}</p>}
    </section>
  );
}

const ICONS: { [kind in Change["kind"]]: IconName } = { errors: "warn", latency: "clock", silent: "pause", new: "plus", pattern: "plus", volume: "up" };

function One({ change, answer, view }: { change: Change; answer: OverviewAnswer; view: Range }) {
  const name = change.service === null ? t.overview.everything : change.service.slice(0, CUT) || t.services.noName;
  const icon = change.kind === "volume" && change.now_rate < change.before_rate ? "down" : ICONS[change.kind];
  return (
    <li className={`change change-${mood(change)}`} data-change={change.kind} data-service={change.service ?? ""}>
      <Icon name={icon} />
      <p><strong><bdi><Visible text={name} /></bdi></strong> <span>{sentence(change)}</span></p>
      <Ways ways={waysOf(change, view, answer)} name={visibleLine(name)} />
    </li>
  );
}

export function Ways({ ways, name }: { ways: Way[]; name: string }) {
  return (
    <span className="ways">
      {ways.map(({ target, to }) => <Link key={target} to={to} aria-label={t.overview.wayOf(t.overview.ways[target], name)}>{t.overview.ways[target]}</Link>)}
    </span>
  );
}

function sentence(change: Change): string {
  const words = t.overview;
  switch (change.kind) {
    case "errors": return words.errors(change.now, change.before, change.counted);
    case "latency": {
      const [now, before] = [millis(change.now_ms), millis(change.before_ms)];
      if (change.now_ms <= change.before_ms) return words.faster(change.percentile, now, before);
      return words.slower(change.percentile, now, before, change.now_ms / change.before_ms);
    }
    case "silent": {
      const silence = widthText(BigInt(Math.round(change.seconds * 1000)) * 1_000_000n);
      return change.service === null ? words.allSilent(silence) : words.silent(silence, change.expected);
    }
    case "new": return words.fresh(clock(BigInt(change.since_ns), false), change.count);
    case "pattern": return words.newMessage(visibleLine(change.template).slice(0, CUT), clock(BigInt(change.since_ns), false), change.count);
    case "volume": {
      const [now, before] = [change.now_rate, change.before_rate];
      const [shownNow, shownBefore] = [t.services.perSecond(now), t.services.perSecond(before)];
      return now < before ? words.fewer(change.counted, shownNow, shownBefore, now / before) : words.more(change.counted, shownNow, shownBefore, now / before);
    }
  }
}
