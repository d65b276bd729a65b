import { useQuery } from "@tanstack/react-query";
import { useId, useMemo, useRef, useState, type RefObject } from "react";
import { api } from "../../api/client";
import { completed, type Completion } from "../../lib/completion";
import { useCaret, useDismiss } from "../../lib/hooks";
import { sqlCaret } from "../../lib/sqlCaret";
import { TABLES_SQL, sqlOffers, tablesOf, type SqlTables } from "../../lib/sqlOffers";
import { tokens } from "../../lib/sqlTokens";
import { t } from "../../strings";
import { Completions } from "../Completions";

interface Props {
  /** The field itself. */
  field: RefObject<HTMLTextAreaElement | null>;
  draft: string;
  setDraft(sql: string): void;
  onRun(): void;
  /** Where in the draft it is wrong, in its characters as JavaScript counts them. */
  wrongAt: number | null;
}

const NO_TABLES: SqlTables = new Map();
const TABLES_FOR_MS = 300_000;

/** Asked for once somebody writes; who may not know them is offered the words of SQL alone. */
function useTables(wanted: boolean): SqlTables {
  const known = useQuery({
    queryKey: ["sql-tables"], queryFn: async ({ signal }) => tablesOf(await api.sql(TABLES_SQL, signal)), enabled: wanted,
    staleTime: TABLES_FOR_MS, gcTime: TABLES_FOR_MS, retry: false,
  });
  return known.data ?? NO_TABLES;
}

/** A statement of SQL, in colours, with what may be written at the caret. */
export function Editor({ field, draft, setDraft, onRun, wrongAt }: Props) {
  const { caret, readCaret, putCaret } = useCaret(field);
  const [open, setOpen] = useState(false);
  const [wanted, setWanted] = useState(false);
  const [active, setActive] = useState(-1);
  const box = useRef<HTMLDivElement>(null);
  const colours = useRef<HTMLPreElement>(null);
  const listId = useId();
  const tables = useTables(wanted);
  const items = useMemo(() => {
    const at = open ? sqlCaret(draft, caret) : null;
    return at ? sqlOffers(at, draft, tables, t.sql.offers) : [];
  }, [open, draft, caret, tables]);
  const shown = items.length > 0;
  const chosen = Math.min(active, items.length - 1);
  useDismiss(box, open, () => setOpen(false));

  const offer = () => {
    setOpen(true);
    setActive(-1);
    readCaret();
  };
  const accept = (item: Completion) => {
    const [text, at] = completed(draft, item);
    setDraft(text);
    putCaret(at);
    setOpen(false);
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLTextAreaElement>) => {
    const isCommand = event.ctrlKey || event.metaKey;
    const item = items[event.key === "Tab" ? Math.max(chosen, 0) : chosen];
    if (event.key === "Enter" && isCommand) onRun();
    else if (event.key === " " && event.ctrlKey) offer();
    else if (!shown || isCommand || event.altKey || event.shiftKey) return;
    else if ((event.key === "Enter" || event.key === "Tab") && item) accept(item);
    else if (event.key === "ArrowDown") setActive((chosen + 1) % items.length);
    else if (event.key === "ArrowUp") setActive(chosen <= 0 ? items.length - 1 : chosen - 1);
    else return;
    event.preventDefault();
  };

  return (
    <div className="sql-editor" ref={box}>
      <Colours sql={draft} wrongAt={wrongAt} innerRef={colours} />
      <textarea
        ref={field} aria-label={t.sql.editor} placeholder={t.sql.placeholder} value={draft} spellCheck={false} autoCapitalize="off" autoComplete="off"
        autoCorrect="off" rows={5} dir="ltr" aria-autocomplete="list" aria-haspopup="listbox" aria-controls={listId} aria-invalid={wrongAt !== null}
        aria-activedescendant={chosen >= 0 ? `${listId}-${chosen}` : undefined}
        onChange={(event) => { setDraft(event.target.value); offer(); }} onFocus={() => setWanted(true)}
        onKeyDown={onKeyDown} onKeyUp={readCaret} onClick={() => { readCaret(); setOpen(false); }}
        onScroll={({ currentTarget: from }) => { if (colours.current) [colours.current.scrollTop, colours.current.scrollLeft] = [from.scrollTop, from.scrollLeft]; }}
      />
      {shown && <Completions id={listId} title={t.sql.offers.title} items={items} active={chosen} onPick={accept} />}
    </div>
  );
}

/** The same text behind the field, whose own letters cannot be seen then. A long one has no colours. */
function Colours({ sql, wrongAt, innerRef }: { sql: string; wrongAt: number | null; innerRef: RefObject<HTMLPreElement | null> }) {
  const all = useMemo(() => tokens(sql), [sql]);
  if (all.length === 0) return null;
  const isWrong = (start: number, end: number) => wrongAt !== null && start <= wrongAt && wrongAt < end;
  return (
    <pre className="sql-colours" aria-hidden="true" ref={innerRef} dir="ltr">
      {all.map(({ kind, start, end }) => (
        <span key={start} className={`sql-${kind}${isWrong(start, end) ? " sql-wrong" : ""}`}>{sql.slice(start, end)}</span>
      ))}
      {"\n"}
    </pre>
  );
}
