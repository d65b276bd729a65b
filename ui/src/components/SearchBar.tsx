import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { ApiError, api } from "../api/client";
import type { ErrorBody, Field } from "../api/types";
import { useCaret, useDismiss, useSettled } from "../lib/hooks";
import { utf16Offset } from "../lib/query";
import { completed, useCompletions, type Completion, type ValuesOf } from "../lib/completion";
import type { Asked } from "../lib/url";
import { t } from "../strings";
import { Completions } from "./Completions";
import { HelpPopover } from "./HelpPopover";
import { Icon, IconButton } from "./Icon";

interface Props {
  view: Asked;
  update(patch: { q: string }): void;
  fields: Field[];
  error: Error | null;
  refresh(): void;
  /** What is searched, if not logs. */
  about?: { label: string; placeholder: string; values: ValuesOf };
}

/** Long enough that nobody is told off in the middle of a word. */
const IDLE_MS = 600;

function queryFault(error: Error | null): ErrorBody | null {
  return error instanceof ApiError && error.body.code === "bad_query" ? error.body : null;
}

/** Asks the server whether the draft can be read; over a second of data, which costs it next to nothing. */
function useFault(draft: string, committed: string, error: Error | null): ErrorBody | null {
  const settled = useSettled(draft, IDLE_MS);
  const check = useQuery({
    queryKey: ["check", settled],
    queryFn: ({ signal }) => api.logs({ q: settled, from: "-1s", to: "now" }, { limit: 1, order: "desc" }, signal),
    enabled: settled === draft && settled !== committed && settled.trim() !== "",
    retry: false,
    staleTime: 60_000,
    gcTime: 60_000,
  });
  if (draft === committed) return queryFault(error);
  return settled === draft ? queryFault(check.error) : null;
}

const LOGS = { label: t.search.label, placeholder: t.search.placeholder, values: api.values };

export function SearchBar({ view, update, fields, error, refresh, about = LOGS }: Props) {
  const [draft, setDraft] = useState(view.q);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [help, setHelp] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const { caret, readCaret, putCaret } = useCaret(input);
  const mark = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const listId = useId();
  const completions = useCompletions(draft, caret, fields, view, open, about.values);
  const fault = useFault(draft, view.q, error);
  const shown = open && !help && completions.items.length > 0;
  useEffect(() => setDraft(view.q), [view.q]);
  useEffect(() => setActive(-1), [completions.title, draft]);
  useDismiss(box, open || help, () => { setOpen(false); setHelp(false); });

  const commit = (q: string) => {
    setOpen(false);
    setHelp(false);
    setDraft(q);
    if (q.trim() === view.q) refresh();
    else update({ q: q.trim() });
  };
  const accept = (item: Completion) => {
    const [text, at] = completed(draft, item);
    setDraft(text);
    putCaret(at);
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLInputElement>) => {
    const chosen = completions.items[active];
    const last = completions.items.length - 1;
    if (event.key === "Enter") shown && chosen ? accept(chosen) : commit(draft);
    else if (event.key === "Tab" && shown && chosen) accept(chosen);
    else if (event.key === "ArrowDown") { setOpen(true); setActive((i) => (i >= last ? 0 : i + 1)); }
    else if (event.key === "ArrowUp") setActive((i) => (i <= 0 ? last : i - 1));
    else return;
    event.preventDefault();
  };

  return (
    <div className={`search ${fault ? "search-bad" : ""}`} ref={box} role="search">
      <Icon name="search" />
      <div className="search-field">
        <ErrorMark text={draft} fault={fault} innerRef={mark} />
        <input
          id="search" ref={input} type="text" value={draft} placeholder={about.placeholder} aria-label={about.label}
          autoComplete="off" autoCorrect="off" autoCapitalize="off" spellCheck={false} dir="ltr" role="combobox"
          aria-expanded={shown} aria-controls={listId} aria-autocomplete="list" aria-invalid={fault !== null}
          aria-describedby={fault ? `${listId}-fault` : undefined}
          aria-activedescendant={shown && active >= 0 ? `${listId}-${active}` : undefined}
          onChange={(event) => { setDraft(event.target.value); setOpen(true); readCaret(); }}
          onKeyDown={onKeyDown} onKeyUp={readCaret} onClick={() => { readCaret(); setOpen(true); }}
          onScroll={(event) => { if (mark.current) mark.current.scrollLeft = event.currentTarget.scrollLeft; }}
        />
      </div>
      {draft !== "" && <IconButton name="close" label={t.search.clear} onClick={() => commit("")} />}
      <IconButton name="help" label={t.search.help} pressed={help} onClick={() => { setHelp(!help); setOpen(false); }} />
      {shown && (
        <Completions id={listId} title={completions.title} items={completions.items} active={active} onPick={accept} />
      )}
      {fault && !shown && !help && <Fault id={`${listId}-fault`} fault={fault} onUse={commit} />}
      {help && <HelpPopover fields={fields} onPick={commit} />}
    </div>
  );
}

/** The same text under the field, invisible but for the line under the part at fault. */
function ErrorMark({ text, fault, innerRef }: { text: string; fault: ErrorBody | null; innerRef: React.Ref<HTMLDivElement> }) {
  if (!fault || fault.position === undefined) return null;
  const start = utf16Offset(text, fault.position);
  const end = Math.max(start, utf16Offset(text, fault.position + (fault.length ?? 1)));
  return (
    <div className="search-mark" aria-hidden="true" ref={innerRef}>
      {text.slice(0, start)}
      <span className="search-fault">{text.slice(start, end) || "\u00a0"}</span>
      {text.slice(end)}
    </div>
  );
}

function Fault({ id, fault, onUse }: { id: string; fault: ErrorBody; onUse(q: string): void }) {
  return (
    <div className="popover search-message" id={id} role="status">
      <span>{fault.message}.</span>
      {fault.suggestion && (
        <button type="button" className="button" onClick={() => onUse(fault.suggestion ?? "")}>
          {t.search.use(fault.suggestion)}
        </button>
      )}
    </div>
  );
}
