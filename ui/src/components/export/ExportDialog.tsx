import { useEffect, useRef, useState } from "react";
import { ApiError, UnreachableError } from "../../api/client";
import { save } from "../../lib/download";
import { CutShortError, FORMATS, TooLargeError, collect, exportAddress, type Asked, type Format, type Progress, type Saved } from "../../lib/exporting";
import { bytes } from "../../lib/format";
import { absoluteRange } from "../../lib/time";
import type { View } from "../../lib/url";
import { t } from "../../strings";
import { Choice, Field, Form, type Sent } from "../Form";
import { IconButton } from "../Icon";
import { Visible } from "../Visible";
import "../../styles/views.css";
import "../../styles/export.css";

interface Props {
  view: View;
  range: { fromNs: bigint; toNs: bigint };
  total: number | undefined;
  onClose(): void;
}

type Stage =
  | { at: "asking"; note: string | null }
  | { at: "running"; asked: Asked; progress: Progress; cancel(): void }
  | { at: "done"; saved: Saved }
  | { at: "failed"; asked: Asked; error: Error; progress: Progress };

const NOTHING: Progress = { bytes: 0, records: 0 };

/** Asks in which form, reads the file, and gives it to the browser. What goes on ends when this is closed. */
export function ExportDialog({ view, range, total, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [stage, setStage] = useState<Stage>({ at: "asking", note: null });
  // What is on screen as it opens: neither the end of the range nor the count moves on while one chooses.
  const [of] = useState(() => ({ ...absoluteRange(range.fromNs, range.toNs), q: view.q, template: view.template, order: view.order, total }));
  const running = useRef<AbortController | null>(null);
  useEffect(() => { if (!dialog.current?.open) dialog.current?.showModal(); }, []);
  useEffect(() => () => running.current?.abort(), []);

  const begin = (asked: Asked) => {
    const abort = new AbortController();
    running.current = abort;
    let so = NOTHING;
    const at = (progress: Progress) => {
      so = progress;
      setStage({ at: "running", asked, progress, cancel: () => abort.abort() });
    };
    at(NOTHING);
    collect(asked, abort.signal, at).then(
      (saved) => {
        save(saved.name, saved.file);
        setStage({ at: "done", saved });
      },
      (error: Error) => setStage(abort.signal.aborted ? { at: "asking", note: t.exporting.cancelled } : { at: "failed", asked, error, progress: so }),
    );
  };
  const again = () => setStage({ at: "asking", note: null });
  return (
    <dialog className="views export" ref={dialog} onClose={onClose} aria-label={t.exporting.title}>
      <div className="section-head">
        <h2>{t.exporting.title}</h2>
        <IconButton name="close" label={t.record.close} onClick={onClose} />
      </div>
      <p className="muted">
        {of.total === undefined ? t.exporting.counting : t.exporting.matched(of.total)} {of.q !== "" && <code className="export-query"><Visible text={of.q} /></code>}
      </p>
      {stage.at === "asking" && <Choose columns={view.columns} total={of.total} note={stage.note} begin={(choice) => begin({ ...of, ...choice })} />}
      {stage.at === "running" && <Running {...stage} total={of.total} />}
      {stage.at === "done" && <Done saved={stage.saved} again={again} />}
      {stage.at === "failed" && <Failed {...stage} again={again} />}
    </dialog>
  );
}

type Choice = Pick<Asked, "format" | "limit" | "fields">;

function Choose({ columns, total, note, begin }: { columns: readonly string[]; total: number | undefined; note: string | null; begin(choice: Choice): void }) {
  const send = (sent: Sent) => begin({
    format: sent.text("format") as Format, limit: sent.text("limit"), fields: sent.all("columns").length > 0 ? columns : [],
  });
  return (
    <Form label={t.exporting.title} send={send}>
      <Choice name="format" label={t.exporting.format} choices={FORMATS.map((format) => [format, t.exporting.formats[format]])} />
      {columns.length > 0 && (
        <label className="export-columns"><input type="checkbox" name="columns" value="1" /> {t.exporting.columns(columns.join(", "))}</label>
      )}
      <Field name="limit" label={t.exporting.limit} hint={t.exporting.limitHint} kind="number" optional most={Number.MAX_SAFE_INTEGER} />
      {note && <p role="status">{note}</p>}
      <p className="buttons">
        <button type="submit" className="button primary" disabled={total === 0}>{t.exporting.begin}</button>
        {total === 0 && <span className="muted">{t.exporting.nothing}</span>}
      </p>
      <p className="muted">{t.exporting.audited}</p>
    </Form>
  );
}

function Running({ asked, progress, cancel, total }: { asked: Asked; progress: Progress; cancel(): void; total: number | undefined }) {
  const all = total === undefined ? undefined : Math.min(total, asked.limit === "" ? Infinity : Number(asked.limit));
  const share = progress.records === null || !all ? undefined : Math.min(1, progress.records / all);
  return (
    <div className="export-running">
      <progress aria-label={t.exporting.progress} {...(share === undefined ? {} : { value: share })} />
      <p data-bytes={progress.bytes}>{t.exporting.so(progress.records, bytes(progress.bytes), share === undefined ? null : `${Math.floor(share * 100)} %`)}</p>
      <p className="buttons"><button type="button" className="button" onClick={cancel}>{t.exporting.cancel}</button></p>
    </div>
  );
}

function Done({ saved, again }: { saved: Saved; again(): void }) {
  return (
    <div role="status">
      <p>{t.exporting.done(saved.records, bytes(saved.bytes))} <code>{saved.name}</code></p>
      <p className="buttons">
        <button type="button" className="button" onClick={() => save(saved.name, saved.file)}>{t.exporting.saveAgain}</button>
        <button type="button" className="button" onClick={again}>{t.exporting.another}</button>
      </p>
    </div>
  );
}

function Failed({ asked, error, progress, again }: { asked: Asked; error: Error; progress: Progress; again(): void }) {
  return (
    <div role="alert">
      <p className="text-error">{reason(error, progress)}</p>
      {error instanceof TooLargeError && (
        <p><a className="link" href={exportAddress(asked)} download>{t.exporting.byBrowser}</a> {t.exporting.orCommand}</p>
      )}
      <p className="buttons"><button type="button" className="button" onClick={again}>{t.exporting.back}</button></p>
    </div>
  );
}

function reason(error: Error, progress: Progress): string {
  if (error instanceof TooLargeError) return t.exporting.tooLarge(bytes(progress.bytes));
  if (error instanceof CutShortError) return t.exporting.cutShort(bytes(progress.bytes));
  if (error instanceof UnreachableError) return t.states.awayText;
  const isOver = error instanceof ApiError && error.body.code === "over_export";
  return isOver ? t.exporting.over(error.message) : error.message;
}
