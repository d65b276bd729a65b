import { visibleLine } from "../../lib/format";
import { t } from "../../strings";

interface Props {
  statements: readonly string[];
  onPick(sql: string): void;
  onForget(): void;
}

/** What was run in this browser, to be put into the editor again. */
export function History({ statements, onPick, onForget }: Props) {
  if (statements.length === 0) return null;
  return (
    <details className="sql-history">
      <summary>{t.sql.history(statements.length)}</summary>
      <ul>
        {statements.map((sql) => (
          <li key={sql}><button type="button" title={sql} onClick={() => onPick(sql)}><bdi>{visibleLine(sql)}</bdi></button></li>
        ))}
      </ul>
      <button type="button" className="button" onClick={onForget}>{t.sql.forget}</button>
    </details>
  );
}
