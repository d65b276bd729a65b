import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { api } from "../../api/client";
import { plainText, visibleLine } from "../../lib/format";
import { clauseFor } from "../../lib/query";
import { parseDuration } from "../../lib/trace/scale";
import type { TracesView } from "../../lib/trace/search";
import { t } from "../../strings";
import { IconButton } from "../Icon";
import { Visible } from "../Visible";

interface Props {
  view: TracesView;
  update(patch: Partial<TracesView>): void;
  clear(): void;
}

/** So many services or operations are offered; any other can be typed. */
const OFFERED = 200;

/** What one looks for most, without having to know the language. */
export function TraceFilters({ view, update, clear }: Props) {
  const services = useValues("service.name", "", view);
  const operations = useValues("span.name", view.service === "" ? "" : clauseFor("service.name", view.service), view);
  const isAny = view.service || view.operation || view.least || view.most || view.errors || view.through;
  return (
    <form className="trace-filters" aria-label={t.traces.form} onSubmit={(event) => event.preventDefault()}>
      <Text label={t.traces.service} value={view.service} placeholder={t.traces.anyService} offered={services} commit={(service) => update({ service })} />
      <Text label={t.traces.operation} value={view.operation} placeholder={t.traces.anyOperation} offered={operations} commit={(operation) => update({ operation })} />
      <Text label={t.traces.least} value={view.least} placeholder="0 ms" fault={fault} commit={(least) => update({ least })} />
      <Text label={t.traces.most} value={view.most} placeholder="∞" fault={fault} commit={(most) => update({ most })} />
      <label className="check">
        <input type="checkbox" checked={view.errors} onChange={(event) => update({ errors: event.target.checked })} /> {t.traces.errors}
      </label>
      {view.through && (
        <span className="chip">
          <bdi className="ellipsis"><Visible text={t.traces.through(view.through)} /></bdi>
          <IconButton name="close" label={`${t.facets.undo} ${visibleLine(t.traces.through(view.through))}`} onClick={() => update({ through: "" })} />
        </span>
      )}
      {isAny && <button type="button" className="link" onClick={clear}>{t.traces.clear}</button>}
    </form>
  );
}

function fault(text: string): string {
  return text === "" || parseDuration(text) !== null ? "" : t.traces.notDuration;
}

function useValues(field: string, q: string, { from, to }: TracesView): string[] {
  const { data } = useQuery({
    queryKey: ["spanValues", field, q, from, to],
    queryFn: ({ signal }) => api.spanValues(field, { q, from, to }, OFFERED, signal),
    staleTime: 30_000,
    retry: false,
  });
  return (data?.values ?? []).map(({ value }) => plainText(value)).filter((value) => value !== "" && value.length <= 200);
}

interface TextProps {
  label: string;
  value: string;
  placeholder: string;
  offered?: string[];
  fault?: (text: string) => string;
  commit(value: string): void;
}

/** Taken when one leaves it, presses Enter or chooses what is offered; what cannot be read is not taken. */
function Text({ label, value, placeholder, offered, fault: faultOf = () => "", commit }: TextProps) {
  const [draft, setDraft] = useState(value);
  const [tried, setTried] = useState(false);
  const list = useId();
  useEffect(() => setDraft(value), [value]);
  const wrong = tried ? faultOf(draft.trim()) : "";
  const done = (text: string) => {
    setTried(true);
    if (faultOf(text.trim()) === "" && text.trim() !== value) commit(text.trim());
  };
  const change = (text: string) => {
    setDraft(text);
    setTried(false);
    if (offered?.includes(text)) done(text);
  };
  const title = offered ? t.traces.offered(OFFERED) : t.traces.durationHint;
  return (
    <label className={`filter ${offered ? "" : "filter-short"}`} title={title}>
      <span className="muted">{label} <em className="text-error" role="alert">{wrong}</em></span>
      <input
        type="text" value={draft} placeholder={placeholder} list={offered ? list : undefined} spellCheck={false} autoComplete="off" aria-invalid={wrong !== ""}
        onChange={(event) => change(event.target.value)} onBlur={() => done(draft)} onKeyDown={(event) => { if (event.key === "Enter") done(draft); }}
      />
      {offered && <datalist id={list}>{offered.map((one) => <option key={one} value={one} />)}</datalist>}
    </label>
  );
}
