import { writeJson } from "../api/json";
import type { Attributes, Json } from "../api/types";
import { MAX_COLUMNS, isFull } from "../lib/columns";
import { plainText, typeName, visibleLine } from "../lib/format";
import { canFilter, clauseFor, negate } from "../lib/query";
import { t } from "../strings";
import { IconButton } from "./Icon";
import { LongText } from "./LongText";
import { CopyButton } from "./RecordPanel";
import { Visible } from "./Visible";

export interface FieldActions {
  filter(clause: string): void;
  /** Of a list that can show a field as a column. */
  columns?: { shown: readonly string[]; toggle(name: string): void };
}

interface Props {
  title: string;
  pairs: Attributes;
  actions: FieldActions;
  /** The name of a field in a query. */
  named(name: string): string;
  /** Fields that differ in every record, so that filtering for them makes no sense. */
  fixed?: readonly string[];
}

/** Ten thousand attributes are legal; drawing them all at once is not useful. */
const DRAWN = 300;

export function FieldTable({ title, pairs, actions, named, fixed = [] }: Props) {
  if (pairs.length === 0) return null;
  return (
    <section className="panel-section">
      <div className="section-head">
        <h2>{title}</h2>
        <span className="muted">{pairs.length > DRAWN ? `${DRAWN} / ${pairs.length}` : pairs.length}</span>
      </div>
      <div role="table" className="fields" aria-label={title}>
        {pairs.slice(0, DRAWN).map(([name, value], index) => (
          <FieldRow
            key={`${index} ${name}`} name={name} field={named(name)} value={value} actions={actions} fixed={fixed.includes(name)}
          />
        ))}
      </div>
    </section>
  );
}

interface RowProps {
  name: string;
  field: string;
  value: Json;
  actions: FieldActions;
  fixed: boolean;
}

function FieldRow({ name, field, value, actions, fixed }: RowProps) {
  const shown = visibleLine(name);
  const { columns } = actions;
  const isColumn = columns?.shown.includes(field) ?? false;
  const isNoMore = !isColumn && columns !== undefined && isFull({ columns: columns.shown });
  const filterable = !fixed && canFilter(value);
  const text = value !== null && typeof value === "object" ? writeJson(value, 2) : plainText(value);
  return (
    <div role="row" className="field" data-field={name}>
      <div role="rowheader" className="field-name"><bdi><Visible text={name} /></bdi></div>
      <div role="cell" className="field-value"><LongText text={text} limit={600} /></div>
      <div role="cell" className="field-type">{typeName(value)}</div>
      <div role="cell" className="field-tools">
        {filterable && (
          <>
            <IconButton name="plus" label={t.record.filterIn(shown)} onClick={() => actions.filter(clauseFor(field, value))} />
            <IconButton name="minus" label={t.record.filterOut(shown)} onClick={() => actions.filter(negate(clauseFor(field, value)))} />
          </>
        )}
        {columns && (
          <IconButton
            name="columns" label={isColumn ? t.record.uncolumn(shown) : isNoMore ? t.list.fullColumns(MAX_COLUMNS) : t.record.column(shown)}
            pressed={isColumn} disabled={isNoMore} onClick={() => columns.toggle(field)}
          />
        )}
        <CopyButton label={t.record.copy} text={() => plainText(value)} />
      </div>
    </div>
  );
}
