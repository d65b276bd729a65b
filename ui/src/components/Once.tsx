import { useState } from "react";
import { copyText } from "../lib/hooks";
import { t } from "../strings";

/** What is shown this once: a token, a link, recovery codes. */
export function Once({ label, lines, done }: { label: string; lines: string[]; done(): void }) {
  const [copied, setCopied] = useState(false);
  const copy = () => void copyText(lines.join("\n")).then(setCopied);
  return (
    <section className="once" role="status" aria-label={label}>
      <p>{label}</p>
      <pre tabIndex={0} aria-label={label}>{lines.join("\n")}</pre>
      <div className="buttons">
        <button type="button" className="button" onClick={copy}>{copied ? t.record.copied : t.record.copy}</button>
        <button type="button" className="button primary" onClick={done}>{t.people.kept}</button>
      </div>
    </section>
  );
}
