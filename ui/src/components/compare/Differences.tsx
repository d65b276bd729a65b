import type { CompareAnswer, FieldDifference, ValueDifference } from "../../api/types";
import { clauseOf, directionOf, percent, shareOf, type CompareView } from "../../lib/compare";
import { compact, visibleLine, whole } from "../../lib/format";
import { addClause, hasClause, negate, removeClause, toggleClause } from "../../lib/query";
import { t } from "../../strings";
import { IconButton } from "../Icon";
import { Visible } from "../Visible";

interface Props {
  view: CompareView;
  update(patch: Partial<CompareView>): void;
  answer: CompareAnswer;
}

/** Of a value as much as one line has room for; the title has more. */
const CUT = 200;

/** A field after the other, that which differs most first, with the values of which one side has more. */
export function Differences({ view, update, answer }: Props) {
  return (
    <div className="differences">
      {answer.fields.map((field) => (
        <section key={field.field} className="difference" data-field={field.field} aria-label={visibleLine(field.field)}>
          <h2><bdi className="ellipsis" title={visibleLine(field.field)}><Visible text={field.field} /></bdi></h2>
          <ul>
            {field.values.map((one) => <One key={one.value ?? "\0"} field={field} one={one} view={view} update={update} answer={answer} />)}
          </ul>
          <Behind field={field} />
        </section>
      ))}
    </div>
  );
}

function One({ field, one, view, update, answer }: Props & { field: FieldDifference; one: ValueDifference }) {
  const clause = clauseOf(field, one);
  const text = one.value === null ? t.differences.without : one.value === "" ? t.list.empty : one.value.slice(0, CUT);
  const shown = visibleLine(text);
  const within = clause !== null && hasClause(view.q, clause);
  const direction = directionOf(one, answer);
  const drop = () => {
    if (clause === null) return;
    const opposite = negate(clause);
    update({ q: hasClause(view.q, opposite) ? removeClause(view.q, opposite) : addClause(view.q, opposite) });
  };
  return (
    <li className={`difference-value is-${direction}`}>
      <button
        type="button" className="difference-pick" disabled={clause === null} aria-pressed={within} title={shown}
        onClick={() => clause !== null && update({ q: toggleClause(view.q, clause) })}
      >
        <bdi className={`ellipsis ${one.value ? "" : "muted"}`}><Visible text={text} /></bdi>
      </button>
      <span className="difference-mark">{t.differences.direction[direction]}</span>
      <Side of="these" count={one.count} total={answer.total} />
      <Side of="others" count={one.other} total={answer.other_total} />
      <IconButton name="minus" className="quiet" label={t.facets.drop(shown)} disabled={clause === null} onClick={drop} />
    </li>
  );
}

function Side({ of, count, total }: { of: "these" | "others"; count: number; total: number }) {
  const share = shareOf(count, total);
  return (
    <span className={`difference-side difference-${of}`} title={t.differences.ofAll(whole(count), whole(total))}>
      <span className="difference-bar" aria-hidden="true">{share > 0 && <span className={`side-${of}`} style={{ width: `${share * 100}%` }} />}</span>
      <span className="difference-share">{percent(share)}</span>
      <span className="difference-count muted">{compact(count)}</span>
    </span>
  );
}

function Behind({ field: { more, not_counted } }: { field: FieldDifference }) {
  const uncounted = not_counted.count + not_counted.other;
  const notes = [more > 0 && t.differences.moreValues(more), uncounted > 0 && t.differences.uncounted(uncounted)].filter((note) => note !== false);
  return notes.length > 0 && <p className="difference-note muted">{notes.join(" ")}</p>;
}
