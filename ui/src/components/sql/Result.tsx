import { useMemo, useState } from "react";
import type { Json, SqlAnswer } from "../../api/types";
import { plainText } from "../../lib/format";
import { csvOf, sortedRows, type Sorting } from "../../lib/sql";
import { chartOf } from "../../lib/sqlChart";
import { t } from "../../strings";
import { Card } from "../States";
import { Visible } from "../Visible";
import { Chart } from "./Chart";

/** Rows that are drawn; the file has all of the answer. */
const MOST_ROWS = 500;
/** What stands where a role may not see. */
const MASKED = "[masked]";
/** Characters of a value that are drawn. */
const MOST_TEXT = 300;

export function Result({ answer }: { answer: SqlAnswer }) {
  const { columns, rows, truncated } = answer;
  const [sorting, setSorting] = useState<Sorting | null>(null);
  const sorted = useMemo(() => sortedRows(rows, sorting), [rows, sorting]);
  const chart = useMemo(() => chartOf(answer), [answer]);
  const isMasked = useMemo(() => rows.some((row) => row.some((value) => typeof value === "string" && value.includes(MASKED))), [rows]);
  if (rows.length === 0) return <Card title={t.sql.nothingTitle} text={t.sql.nothingText} />;
  const sortBy = (column: number) => setSorting((now) => ({ column, isDown: now?.column === column && !now.isDown }));
  const direction = (column: number) => (sorting?.column !== column ? "none" : sorting.isDown ? "descending" : "ascending");
  return (
    <>
      <p className="sql-note">
        <button type="button" className="button" onClick={() => save(csvOf(columns, sorted))}>{t.sql.save}</button>{" "}
        {rows.length > MOST_ROWS && t.sql.drawn(MOST_ROWS, rows.length)} {truncated && t.sql.truncated(rows.length)} {isMasked && t.sql.masked(MASKED)}
      </p>
      {chart && <Chart chart={chart} />}
      <div className="table sql-table" tabIndex={0} role="region" aria-label={t.sql.result}>
        <table>
          <thead>
            <tr>
              {columns.map(({ name, type }, column) => (
                <th key={column} scope="col" aria-sort={direction(column)}>
                  <button type="button" title={type} onClick={() => sortBy(column)}><Visible text={name} /></button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, MOST_ROWS).map((row, index) => (
              <tr key={index}>{row.map((value, column) => <Cell key={column} value={value} />)}</tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Cell({ value }: { value: Json }) {
  if (value === null) return <td className="muted">{t.sql.none}</td>;
  const text = plainText(value);
  const isNumber = typeof value === "number" || typeof value === "bigint";
  return (
    <td className={isNumber ? "is-number" : undefined} title={text.length > MOST_TEXT ? t.sql.cut(text.length) : undefined}>
      <bdi><Visible text={text.slice(0, MOST_TEXT)} />{text.length > MOST_TEXT && "…"}</bdi>
    </td>
  );
}

function save(text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: "logkeep-sql.csv" });
  link.click();
  URL.revokeObjectURL(address);
}
