import { useEffect, useRef } from "react";
import { beginTour } from "../lib/tour";
import { t, type KeyRow } from "../strings";
import { IconButton } from "./Icon";

export function Shortcuts({ rows = t.keys.rows, onClose }: { rows?: KeyRow[]; onClose(): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => { if (!dialog.current?.open) dialog.current?.showModal(); }, []);
  return (
    <dialog className="shortcuts" ref={dialog} onClose={onClose} aria-label={t.keys.title}>
      <div className="section-head">
        <h2>{t.keys.title}</h2>
        <IconButton name="close" label={t.record.close} onClick={onClose} />
      </div>
      <dl>
        {rows.map(([keys, meaning]) => (
          <div key={keys}>
            <dt>{keys.split(/\s+/).map((key) => <kbd key={key}>{key}</kbd>)}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <p><button type="button" className="link" onClick={() => { onClose(); beginTour(); }}>{t.tour.ask}</button></p>
    </dialog>
  );
}
