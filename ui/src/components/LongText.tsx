import { useState } from "react";
import { t } from "../strings";
import { Visible } from "./Visible";

/** From here on a message may be higher than its frame, which is then scrolled by keyboard too. */
const MAY_SCROLL = 400;

/** Text of any size: a megabyte on one line would stop the page, so that much is shown only when asked for. */
export function LongText({ text, className = "", limit = 2000 }: { text: string; className?: string; limit?: number }) {
  const [all, setAll] = useState(false);
  const long = text.length > limit;
  return (
    <>
      <div className={`long-text ${className}`} dir="auto" tabIndex={className !== "" && text.length > MAY_SCROLL ? 0 : undefined}>
        {text === "" ? <i className="muted">{t.list.empty}</i> : <Visible text={long && !all ? text.slice(0, limit) : text} lines />}
        {long && !all && "…"}
      </div>
      {long && (
        <button type="button" className="link" onClick={() => setAll(!all)}>
          {all ? t.record.showLess : t.record.showAll(text.length)}
        </button>
      )}
    </>
  );
}
