import type { HistogramAnswer } from "../api/types";
import { percent, shareOf } from "../lib/compare";
import { compact, plainText, visibleLine, whole } from "../lib/format";
import { clauseOf, partsOf, type Part } from "../lib/groups";
import { barPath } from "../lib/patterns";
import { hasClause, negate, toggleClause } from "../lib/query";
import type { View } from "../lib/url";
import { t } from "../strings";
import { IconButton } from "./Icon";
import { Visible } from "./Visible";

const LINE = { width: 64, height: 14 };

interface Props {
  answer: HistogramAnswer;
  view: View;
  update(patch: Partial<View>): void;
}

/** What the colours of the bars mean, with the counts that they stand for, each a way to narrow the search. */
export function Groups({ answer, view, update }: Props) {
  if (!answer.by) return null;
  const { field, many } = answer.by;
  const parts = partsOf(answer);
  return (
    <section className="groups" aria-label={t.groups.label(field)}>
      <div className="groups-head">
        <span className="muted">{t.groups.by}</span>{" "}<bdi className="ellipsis" title={visibleLine(field).slice(0, 500)}><Visible text={field} /></bdi>
        <IconButton name="close" label={t.groups.stop} onClick={() => update({ by: "" })} />
      </div>
      {parts.length === 0 ? <span className="muted">{t.groups.none}</span> : (
        <ul className="groups-list">
          {parts.map((part) => <Group key={part.key} part={part} field={field} total={answer.total} many={many} view={view} update={update} />)}
        </ul>
      )}
    </section>
  );
}

interface GroupProps {
  part: Part;
  field: string;
  total: number;
  many: boolean;
  view: View;
  update(patch: Partial<View>): void;
}

function Group({ part, field, total, many, view, update }: GroupProps) {
  const clause = clauseOf(field, part);
  const name = nameOf(part);
  const within = clause !== null && hasClause(view.q, clause);
  const exclude = () => clause && update({ q: toggleClause(view.q, negate(clause)) });
  const pick = (event: React.MouseEvent) => clause && (event.altKey ? exclude() : update({ q: toggleClause(view.q, clause) }));
  const told = (
    <>
      <span className={`swatch bg-${part.colour}`} />
      <bdi className={`ellipsis ${part.kind === "value" ? "" : "muted"}`}>{part.kind === "value" ? <Visible text={name.slice(0, 200)} /> : name}</bdi>{" "}
      <svg className="group-line" viewBox={`0 0 ${LINE.width} ${LINE.height}`} preserveAspectRatio="none" aria-hidden="true">
        <path className={`fill-${part.colour}`} d={barPath(part.counts, LINE.width, LINE.height)} />
      </svg>{" "}
      <span className="group-count" title={whole(part.count)}>{compact(part.count)}</span>{" "}
      <span className="muted">{percent(shareOf(part.count, total))}</span>
    </>
  );
  if (clause === null) return <li className="group" title={part.kind === "other" && many ? t.groups.many : undefined}>{told}</li>;
  return (
    <li className={`group ${within ? "group-in" : ""}`}>
      <button type="button" className="group-pick" aria-pressed={within} onClick={pick} title={visibleLine(name).slice(0, 500)}>
        <span className="offscreen">{within ? t.facets.undo : t.facets.only}</span>{" "}{told}
      </button>
      <IconButton name="minus" label={t.facets.drop(name.slice(0, 200))} onClick={exclude} className="quiet" />
    </li>
  );
}

/** How a part is called. */
export function nameOf(part: Part): string {
  if (part.kind === "other") return t.groups.other;
  if (part.kind === "missing") return t.groups.missing;
  return plainText(part.value) || t.list.empty;
}
