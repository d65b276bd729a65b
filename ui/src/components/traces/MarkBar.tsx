import { useState } from "react";
import { go } from "../../lib/place";
import { compareAddress, traceIdIn } from "../../lib/trace/compare";
import { traceAddress } from "../../lib/trace/view";
import { t } from "../../strings";
import { Link } from "../Nav";

/** One trace is marked: what to do to compare it with another. */
export function MarkBar({ marked, clear }: { marked: string; clear(): void }) {
  const [text, setText] = useState("");
  const [tried, setTried] = useState(false);
  const id = traceIdIn(text);
  const wrong = tried && id === null;
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (id !== null) go(compareAddress(marked, id));
  };
  return (
    <form className="mark-bar" aria-label={t.compare.bar} onSubmit={submit}>
      <span role="status">{t.compare.marked} <Link className="mark-id" to={traceAddress(marked)}><code>{marked.slice(0, 8)}…</code></Link> {t.compare.markAnother}</span>
      <input
        type="text" className="mark-input" value={text} placeholder={t.compare.idHint} aria-label={t.compare.idLabel} aria-invalid={wrong} spellCheck={false} autoComplete="off"
        onChange={(event) => { setText(event.target.value); setTried(false); }}
      />
      <button type="submit" className="button">{t.compare.go}</button>
      <button type="button" className="link" onClick={clear}>{t.compare.unmark}</button>
      {wrong && <span className="text-error" role="alert">{t.compare.notId}</span>}
    </form>
  );
}
