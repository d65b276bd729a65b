import type { Field } from "../api/types";
import { visibleLine } from "../lib/format";
import { clauseFor, fieldName } from "../lib/query";
import { t } from "../strings";

/** Examples from the reader's own fields, because `foo:bar` teaches nobody what can be asked here. */
export function examples(fields: Field[]): [string, string][] {
  const top = (name: string) => fields.find((field) => field.name === name)?.top ?? [];
  const usual = fields.find((field) => field.name === "service.name") ?? fields.find((field) => field.top.length > 0);
  const name = usual?.name ?? "service.name";
  const value = usual?.top[0]?.value ?? "checkout";
  const number = fields.find((field) => field.name === "http.response.status_code")
    ?? fields.find((field) => field.types.some((type) => type === "int" || type === "double"));
  const range = `${fieldName(number?.name ?? "http.response.status_code")}>=${number?.name.includes("status") === false ? 100 : 500}`;
  const path = top("url.path").find(({ value: v }) => typeof v === "string" && v.length > 2)?.value;
  const wildcard = typeof path === "string" ? `url.path:${path.split("/").slice(0, 2).join("/")}*` : `${fieldName(name)}:c*`;
  const clause = clauseFor(name, value);
  const rows = t.help.rows;
  return [
    ["timeout", rows.text],
    ['"connection refused"', rows.phrase],
    [clause, rows.field],
    [`not ${clause}`, rows.out],
    [wildcard, rows.wildcard],
    ["trace_id:*", rows.exists],
    [range, rows.range],
    ["severity:error or severity:fatal", rows.either],
    [`(severity:error or ${range}) and not ${clause}`, rows.group],
  ];
}

export function HelpPopover({ fields, onPick }: { fields: Field[]; onPick(q: string): void }) {
  return (
    <div className="popover help" role="dialog" aria-label={t.help.title}>
      <h2>{t.help.title}</h2>
      <p>{t.help.intro}</p>
      <ul>
        {examples(fields).map(([query, meaning]) => (
          <li key={query}>
            <button type="button" onClick={() => onPick(query)}>
              <code><bdi>{visibleLine(query)}</bdi></code>
              <span>{meaning}</span>
            </button>
          </li>
        ))}
      </ul>
      <p className="muted">{t.help.escape}</p>
    </div>
  );
}
