import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, api } from "../../api/client";
import { retry } from "../../api/queries";
import { useViewOf, type Codec } from "../../lib/place";
import { utf16Offset } from "../../lib/query";
import { formatSql, isSqlStep, parseSql, placeOf, rangeCondition, type SqlView } from "../../lib/sql";
import { forget, history, remember } from "../../lib/sqlHistory";
import { t } from "../../strings";
import { SlowNote } from "../Notes";
import { Shell, useBounds } from "../Shell";
import { Card, Failure } from "../States";
import { TimePicker } from "../TimePicker";
import { Editor } from "./Editor";
import { History } from "./History";
import { Result } from "./Result";
import "../../styles/sql.css";

const CODEC: Codec<SqlView> = { parse: parseSql, format: formatSql, isStep: isSqlStep };

/** A question in SQL and its answer. The address holds the question; a link is run only when its reader says so, as it costs and is written down as theirs. */
export function SqlPage() {
  const client = useQueryClient();
  const [view, update] = useViewOf(CODEC);
  const [draft, setDraft] = useState(view.sql);
  const [asked, setAsked] = useState({ sql: "", run: 0 });
  const [past, setPast] = useState(() => history(localStorage));
  const editor = useRef<HTMLTextAreaElement>(null);
  useEffect(() => setDraft(view.sql), [view.sql]);
  const answered = useQuery({
    queryKey: ["sql", asked], queryFn: ({ signal }) => api.sql(asked.sql, signal), enabled: asked.run > 0,
    structuralSharing: false, staleTime: Infinity, gcTime: 0, retry,
  });
  const ask = (sql: string) => {
    if (sql.trim() === "") return;
    update({ sql });
    setPast(remember(localStorage, sql));
    setAsked(({ run }) => ({ sql, run: run + 1 }));
  };
  const again = useCallback(() => setAsked(({ sql, run }) => (sql ? { sql, run: run + 1 } : { sql, run })), []);
  const cancel = () => void client.cancelQueries({ queryKey: ["sql"] });
  const range = useBounds(view, undefined);
  const insertRange = () => {
    const { selectionStart: start = draft.length, selectionEnd: end = draft.length } = editor.current ?? {};
    setDraft(draft.slice(0, start) + rangeCondition(range.fromNs, range.toNs) + draft.slice(end));
    editor.current?.focus();
  };
  const { data, error, isFetching } = answered;
  return (
    <Shell
      title={t.sql.title} keys={{ "/": () => editor.current?.focus() }} help={t.sql.keys} refresh={again} error={error}
      tools={<TimePicker view={view} update={update} range={range} />}
      footer={data && !error && <span className="footer-main">{t.sql.counted(data.rows.length, data.stats)}</span>}
    >
      <SlowNote active={isFetching} onCancel={cancel} />
      <main className="main" id="view">
        <section className="list sql">
          <h1 className="offscreen">{t.sql.title}</h1>
          <form className="sql-form" onSubmit={(event) => { event.preventDefault(); ask(draft); }}>
            <Editor field={editor} draft={draft} setDraft={setDraft} onRun={() => ask(draft)} wrongAt={draft === asked.sql && !isFetching ? wrongAt(error, draft) : null} />
            <div className="buttons">
              <button type="submit" className="button primary" disabled={draft.trim() === ""}>{t.sql.run}</button>
              {isFetching && <button type="button" className="button" onClick={cancel}>{t.states.cancel}</button>}
              <button type="button" className="button" onClick={insertRange}>{t.sql.insertRange}</button>
            </div>
            <History
              statements={past} onPick={(sql) => { setDraft(sql); editor.current?.focus(); }}
              onForget={() => { forget(localStorage); setPast([]); }}
            />
          </form>
          <div className="services-body">
            {asked.run === 0 && <Card title={view.sql ? t.sql.linkTitle : t.sql.emptyTitle} text={view.sql ? t.sql.linkText : t.sql.emptyText} />}
            {isFetching && <div className="state-quiet muted" role="status">{t.sql.running}…</div>}
            {!isFetching && error && <Fault error={error} sql={asked.sql} refresh={again} />}
            {!isFetching && !error && data && <Result key={asked.run} answer={data} />}
            {!isFetching && !error && !data && asked.run > 0 && <Card title={t.states.cancelled} action={t.states.retry} onAction={again} />}
          </div>
        </section>
      </main>
    </Shell>
  );
}

const faultOf = (error: Error | null) => (error instanceof ApiError && error.body.code === "bad_query" ? error.body : undefined);

function wrongAt(error: Error | null, sql: string): number | null {
  const position = faultOf(error)?.position;
  return position === undefined ? null : utf16Offset(sql, position);
}

/** What is wrong, and where, if the server knows. */
function Fault({ error, sql, refresh }: { error: Error; sql: string; refresh(): void }) {
  const body = faultOf(error);
  const place = body?.position === undefined ? undefined : placeOf(sql, body.position);
  return (
    <div className="sql-fault">
      {body ? <Card title={t.sql.wrongTitle} text={body.message} alert /> : <Failure error={error} refresh={refresh} />}
      {place && (
        <div className="sql-place">
          <p>{t.sql.place(place.line, place.column)}</p>
          <pre tabIndex={0}>{place.before}<mark>{place.at || " "}</mark>{place.after}</pre>
        </div>
      )}
      {body?.suggestion && <p className="sql-note">{t.sql.meant} <code><bdi>{body.suggestion}</bdi></code></p>}
    </div>
  );
}
