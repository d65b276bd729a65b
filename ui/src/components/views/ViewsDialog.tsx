import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import { SAVED_VIEWS, useSavedViews } from "../../api/queries";
import type { SavedView } from "../../api/types";
import { visibleLine } from "../../lib/format";
import { addressToSave, found, isOwnPage, pageOf } from "../../lib/savedViews";
import { t } from "../../strings";
import { Fault, Field, Form, Sure, useAttempt, type Sent } from "../Form";
import { IconButton } from "../Icon";
import { Link } from "../Nav";
import { Failure } from "../States";
import { Visible } from "../Visible";
import "../../styles/views.css";

interface Props {
  /** What the reader may do. */
  may: readonly string[];
  onClose(): void;
}

/** Views that were saved, to go to, and a form to save where one is. */
export function ViewsDialog({ may, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [find, setFind] = useState("");
  const [editing, setEditing] = useState<string | null>(null);
  useEffect(() => { if (!dialog.current?.open) dialog.current?.showModal(); }, []);
  const views = useSavedViews();
  const listed = found(views.data?.views ?? [], find);
  const isOwner = (view: SavedView) => may.includes("manage_views") || (view.own && may.includes("save_views"));
  return (
    <dialog className="views" ref={dialog} onClose={onClose} aria-label={t.views.title}>
      <div className="section-head">
        <h2>{t.views.title}</h2>
        <IconButton name="close" label={t.record.close} onClick={onClose} />
      </div>
      {may.includes("save_views") && isOwnPage(addressToSave(window.location)) && <Save />}
      <input type="search" value={find} placeholder={t.views.find} aria-label={t.views.find} onChange={(event) => setFind(event.target.value)} />
      {views.error && <Failure error={views.error} refresh={() => void views.refetch()} />}
      {views.isPending && <p className="muted" role="status">{t.views.loading}…</p>}
      {views.data && listed.length === 0 && <p className="muted" role="status">{find === "" ? t.views.none : t.views.noneFound}</p>}
      <ul className="views-list">
        {listed.map((view) => (
          <li key={view.id} data-view={view.name}>
            {editing === view.id
              ? <Edit view={view} onDone={() => setEditing(null)} />
              : <One view={view} edit={isOwner(view) ? () => setEditing(view.id) : null} onClose={onClose} />}
          </li>
        ))}
      </ul>
    </dialog>
  );
}

/** Looks anew at what there is once something has changed. */
function useChange(done: () => void) {
  const client = useQueryClient();
  return useAttempt<unknown>(() => {
    void client.invalidateQueries({ queryKey: SAVED_VIEWS });
    done();
  });
}

const textOf = (sent: Sent) => ({ name: sent.text("name").trim(), description: sent.text("description").trim() });

function Save() {
  const [asked, setAsked] = useState(false);
  const [attempt, run] = useChange(() => setAsked(false));
  if (!asked) return <p><button type="button" className="button primary" onClick={() => setAsked(true)}>{t.views.save}</button></p>;
  return (
    <Form label={t.views.save} send={(sent) => run(() => api.saveView({ ...textOf(sent), address: addressToSave(window.location) }))}>
      <Texts />
      <Fault text={attempt.fault} />
      <p className="buttons">
        <button type="submit" className="button primary" disabled={attempt.busy}>{t.views.keep}</button>
        <button type="button" className="button" onClick={() => setAsked(false)}>{t.views.cancel}</button>
      </p>
    </Form>
  );
}

function Texts({ view }: { view?: SavedView }) {
  return (
    <>
      <Field name="name" label={t.views.name} focus initial={view?.name ?? ""} />
      <Field name="description" label={t.views.description} optional initial={view?.description ?? ""} />
    </>
  );
}

function One({ view, edit, onClose }: { view: SavedView; edit: (() => void) | null; onClose(): void }) {
  return (
    <div className="view-one">
      {isOwnPage(view.address)
        ? <Link to={view.address} className="ellipsis" title={visibleLine(view.name)} onClick={onClose}><Visible text={view.name} /></Link>
        : <span className="ellipsis" title={t.views.noPage}><Visible text={view.name} /></span>}
      <span className="muted view-page">{pageOf(view.address)}</span>
      <bdi className="muted ellipsis view-owner" title={t.views.by(visibleLine(view.owner))}><Visible text={view.owner} /></bdi>
      {edit && <IconButton name="edit" label={t.views.edit(visibleLine(view.name))} onClick={edit} />}
      {view.description !== "" && <bdi className="muted view-description"><Visible text={view.description} /></bdi>}
    </div>
  );
}

function Edit({ view, onDone }: { view: SavedView; onDone(): void }) {
  const [attempt, run] = useChange(onDone);
  const here = addressToSave(window.location);
  const send = (sent: Sent) => run(() => api.changeView(view.id, { ...textOf(sent), address: sent.by === "here" ? here : view.address }));
  return (
    <Form label={t.views.edit(visibleLine(view.name))} send={send}>
      <Texts view={view} />
      <Fault text={attempt.fault} />
      <p className="buttons">
        <button type="submit" className="button primary" disabled={attempt.busy}>{t.views.keep}</button>
        {isOwnPage(here) && here !== view.address && <button type="submit" className="button" value="here" disabled={attempt.busy}>{t.views.here}</button>}
        <Sure label={t.views.remove} sure={t.views.sure} disabled={attempt.busy} act={() => run(() => api.deleteView(view.id))} />
        <button type="button" className="button" onClick={onDone}>{t.views.cancel}</button>
      </p>
    </Form>
  );
}
