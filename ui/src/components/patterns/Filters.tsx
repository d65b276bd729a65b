import type { PatternsAnswer } from "../../api/types";
import { compact, visibleLine } from "../../lib/format";
import { SHOWS, chosenService, servicesOf, withService, type PatternsView, type Show } from "../../lib/patterns";
import { t } from "../../strings";

interface Props {
  view: PatternsView;
  update(patch: Partial<PatternsView>): void;
  answer: PatternsAnswer | undefined;
}

/** Which of them: all, the new, the gone; of one service; with a text. */
export function Filters(props: Props) {
  const { view, update } = props;
  return (
    <div className="patterns-filters">
      <Shows {...props} />
      <Service {...props} />
      <input
        type="search" className="patterns-find" value={view.find} placeholder={t.patterns.find} aria-label={t.patterns.find}
        onChange={(event) => update({ find: event.target.value })}
      />
    </div>
  );
}

function Shows({ view, update, answer }: Props) {
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = step && SHOWS[(SHOWS.indexOf(view.show) + step + SHOWS.length) % SHOWS.length];
    if (!next) return;
    event.preventDefault();
    update({ show: next });
    document.getElementById(`show-${next}`)?.focus();
  };
  const counts: { [show in Show]: number | null | undefined } = { all: answer?.templates, new: answer?.new, gone: answer?.gone };
  return (
    <div className="tabs" role="tablist" onKeyDown={onKeyDown}>
      {SHOWS.map((show) => (
        <button
          key={show} id={`show-${show}`} type="button" role="tab" aria-selected={view.show === show} aria-controls="patterns-body" tabIndex={view.show === show ? 0 : -1}
          title={t.patterns.showTitles[show]} onClick={() => update({ show })}
        >
          {t.patterns.shows[show]} <span className="tab-count">{counts[show] == null ? "" : compact(counts[show])}</span>
        </button>
      ))}
    </div>
  );
}

const OFFERED = 200;
const CUT = 80;

/** It is part of the query, so that what is counted is of that service alone. */
function Service({ view, update, answer }: Props) {
  const chosen = chosenService(view.q);
  const known = servicesOf(answer?.patterns ?? [], OFFERED);
  const offered = chosen === null || known.some(({ service }) => service === chosen) ? known : [{ service: chosen, count: 0 }, ...known];
  return (
    <select
      className="patterns-service" aria-label={t.patterns.service} value={chosen === null ? "" : `=${chosen}`}
      onChange={(event) => update({ q: withService(view.q, event.target.value === "" ? null : event.target.value.slice(1)) })}
    >
      <option value="">{t.patterns.allServices}</option>
      {offered.filter(({ service }) => service !== "").map(({ service }) => <option key={service} value={`=${service}`}>{visibleLine(service.slice(0, CUT))}</option>)}
    </select>
  );
}
