import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import type { Field, ValueCount } from "../api/types";
import { windowOf } from "../api/queries";
import { MAX_COLUMNS, isFull, toggled } from "../lib/columns";
import { compareAddress } from "../lib/compare";
import { compact, plainText, visibleLine } from "../lib/format";
import { USUAL } from "../lib/groups";
import { addClause, canFilter, clauseFor, hasClause, negate, removeClause, toggleClause } from "../lib/query";
import { FIRST_FIELDS, byImportance } from "../lib/record";
import type { View } from "../lib/url";
import { t } from "../strings";
import { Icon, IconButton } from "./Icon";
import { Link } from "./Nav";
import { Visible } from "./Visible";

interface Props {
  fields: Field[] | undefined;
  total: number;
  view: View;
  update(patch: Partial<View>): void;
  overlay: boolean;
  onClose(): void;
}

/** So many are open at first; the rest show their name until asked. */
const OPEN_AT_FIRST = 5;
const SHOWN = 5;
/** A deployment may have thousands of fields; the search finds those that are not drawn. */
const DRAWN = 80;

export function Facets({ fields, total, view, update, overlay, onClose }: Props) {
  const [find, setFind] = useState("");
  const [toggled, setToggled] = useState<{ [name: string]: boolean }>({});
  const sorted = [...(fields ?? [])].sort(byImportance);
  const wanted = find.trim().toLowerCase();
  const shown = sorted.filter((field) => field.name.toLowerCase().includes(wanted)).slice(0, DRAWN);
  const openByDefault = new Set(sorted.filter((f) => FIRST_FIELDS.includes(f.name)).slice(0, OPEN_AT_FIRST).map((f) => f.name));
  return (
    <aside className={`facets ${overlay ? "facets-overlay" : ""}`} aria-label={t.facets.title}>
      <div className="facets-head">
        <input
          type="search" value={find} placeholder={t.facets.find} aria-label={t.facets.find}
          onChange={(event) => setFind(event.target.value)}
        />
        <Link className="icon-button" to={compareAddress({ q: view.q, from: view.from, to: view.to, template: view.template })} title={t.differences.open} aria-label={t.differences.open}><Icon name="compare" /></Link>
        {overlay && <IconButton name="close" label={t.facets.hide} onClick={onClose} />}
      </div>
      <div className="facets-list">
        {fields && shown.length === 0 && <p className="muted pad">{wanted === "" ? t.facets.noFields : t.facets.none}</p>}
        {shown.map((field) => {
          const open = toggled[field.name] ?? (openByDefault.has(field.name) || (wanted !== "" && shown.length <= 3));
          return (
            <Facet
              key={field.name} field={field} total={total} view={view} update={update} open={open}
              onToggle={() => setToggled({ ...toggled, [field.name]: !open })}
            />
          );
        })}
      </div>
    </aside>
  );
}

interface FacetProps {
  field: Field;
  total: number;
  view: View;
  update(patch: Partial<View>): void;
  open: boolean;
  onToggle(): void;
}

function Facet({ field, total, view, update, open, onToggle }: FacetProps) {
  const isColumn = view.columns.includes(field.name);
  const isGrouped = field.name === view.by;
  return (
    <section className="facet" data-field={field.name}>
      <div className="facet-head">
        <button type="button" className="facet-name" aria-expanded={open} onClick={onToggle} title={`${field.name} (${field.types.join(", ")})`}>
          <span className={`chevron ${open ? "chevron-open" : ""}`}><Icon name="right" /></span>
          <bdi className="ellipsis"><Visible text={field.name} /></bdi>
        </button>
        {(view.by !== "" || field.name !== USUAL) && (
          <IconButton
            name="stack" label={isGrouped ? t.groups.stop : t.groups.byThis} pressed={isGrouped}
            onClick={() => update({ by: isGrouped || field.name === USUAL ? "" : field.name })} className="quiet facet-by"
          />
        )}
        <IconButton
          name="columns" label={isColumn ? t.facets.uncolumn : isFull(view) ? t.list.fullColumns(MAX_COLUMNS) : t.facets.column}
          pressed={isColumn} disabled={!isColumn && isFull(view)} onClick={() => update(toggled(view, field.name))} className="quiet"
        />
        <span className="facet-count">{compact(field.count)}</span>
      </div>
      {open && <FacetValues field={field} total={total} view={view} update={update} />}
    </section>
  );
}

function FacetValues({ field, total, view, update }: Omit<FacetProps, "open" | "onToggle">) {
  const [more, setMore] = useState(false);
  const [find, setFind] = useState("");
  const all = useQuery({
    queryKey: ["values", field.name, windowOf(view)],
    queryFn: ({ signal }) => api.values(field.name, windowOf(view), 200, signal),
    enabled: more,
    staleTime: 30_000,
  });
  const values = more ? (all.data?.values ?? field.top) : field.top.slice(0, SHOWN);
  const wanted = find.toLowerCase();
  const shown = values.filter(({ value }) => wanted === "" || plainText(value).toLowerCase().includes(wanted));
  const missing = total - field.count;
  return (
    <>
      {more && (
        <input
          type="search" className="facet-find" value={find} placeholder={t.facets.findValue} aria-label={t.facets.findValue}
          onChange={(event) => setFind(event.target.value)}
        />
      )}
      <ul className={`facet-values ${more ? "facet-values-more" : ""}`}>
        {shown.map((entry) => (
          <FacetValue key={plainText(entry.value)} field={field.name} entry={entry} total={field.count} view={view} update={update} />
        ))}
      </ul>
      <div className="facet-foot">
        {(field.top.length >= SHOWN || more) && (
          <button type="button" className="link" onClick={() => setMore(!more)}>{more ? t.facets.less : t.facets.more}</button>
        )}
        {missing > 0 && <span className="muted">{t.facets.missing(missing)}</span>}
      </div>
    </>
  );
}

interface ValueProps {
  field: string;
  entry: ValueCount;
  total: number;
  view: View;
  update(patch: Partial<View>): void;
}

function FacetValue({ field, entry, total, view, update }: ValueProps) {
  const text = visibleLine(plainText(entry.value));
  const clause = clauseFor(field, entry.value);
  const usable = canFilter(entry.value);
  const within = hasClause(view.q, clause);
  const without = hasClause(view.q, negate(clause));
  const filterOut = () => update({ q: without ? removeClause(view.q, negate(clause)) : addClause(view.q, negate(clause)) });
  const filterIn = (event: React.MouseEvent) => (event.altKey ? filterOut() : update({ q: toggleClause(view.q, clause) }));
  const share = Math.min(100, Math.max(1, (entry.count / Math.max(1, total)) * 100));
  return (
    <li className={`facet-value ${within ? "facet-in" : ""} ${without ? "facet-out" : ""}`}>
      <button
        type="button" className="facet-pick" disabled={!usable} aria-pressed={within} onClick={filterIn} title={text.slice(0, 500)}
      >
        <span className="offscreen">{within ? t.facets.undo : t.facets.only}</span>{" "}
        <span className="facet-bar" style={{ width: `${share}%` }} aria-hidden="true" />
        {field === "severity" && <span className={`swatch bg-${text}`} />}
        <bdi className="ellipsis"><Visible text={plainText(entry.value).slice(0, 200) || t.list.empty} /></bdi>{" "}
        <span className="facet-count">{compact(entry.count)}</span>
      </button>
      <IconButton
        name="minus" label={without ? `${t.facets.undo} ${text}` : t.facets.drop(text)} pressed={without} disabled={!usable}
        onClick={filterOut} className="quiet"
      />
    </li>
  );
}
