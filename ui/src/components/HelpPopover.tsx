import type { Field } from "../api/types";
import { visibleLine } from "../lib/format";
import { examples } from "../lib/examples";
import { t } from "../strings";

export function HelpPopover({ fields, onPick }: { fields: Field[]; onPick(q: string): void }) {
  return (
    <div className="popover help" role="dialog" aria-label={t.help.title}>
      <h2>{t.help.title}</h2>
      <p>{t.help.intro}</p>
      <ul>
        {examples(fields).map(([query, lesson]) => (
          <li key={query}>
            <button type="button" onClick={() => onPick(query)}>
              <code><bdi>{visibleLine(query)}</bdi></code>
              <span>{t.help.rows[lesson]}</span>
            </button>
          </li>
        ))}
      </ul>
      <p className="muted">{t.help.escape}</p>
    </div>
  );
}
