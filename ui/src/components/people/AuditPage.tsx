import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Fragment, useState } from "react";
import { ApiError, api, type AuditAsked } from "../../api/client";
import { retry } from "../../api/queries";
import { useSession } from "../../api/session";
import type { AuditRow } from "../../api/types";
import { visibleLine } from "../../lib/format";
import { t } from "../../strings";
import { Choice, Fault, Field, Form } from "../Form";
import { Visible } from "../Visible";
import { Moment, Table } from "./Lists";
import { Page, Section } from "./Page";

const PAGE = 100;
/** Of what stands in a title; the details have the rest. */
const CUT = 600;
const FIRST: AuditAsked = { user: "", action: "", decision: "", object: "", from: "-24h" };

/** Who asked for what, what was decided, and what came of it. */
export function AuditPage() {
  const { data: session } = useSession();
  const may = session?.may.includes("query_audit") ?? false;
  const [asked, setAsked] = useState(FIRST);
  return (
    <Page title={t.pages.audit} session={session}>
      {session && !may && <p>{t.audit.notForYou}</p>}
      {may && (
        <>
          <Filter ask={setAsked} />
          <Trail asked={asked} />
        </>
      )}
    </Page>
  );
}

function Filter({ ask }: { ask(asked: AuditAsked): void }) {
  return (
    <Form
      label={t.audit.filter}
      send={(form) => ask({ user: form.text("user"), action: form.text("action"), decision: form.text("decision"), object: form.text("object"), from: form.text("from") })}
    >
      <div className="filters">
        <Field name="user" label={t.audit.user} optional />
        <Field name="action" label={t.audit.action} optional />
        <Field name="object" label={t.audit.object} optional />
        <Choice name="decision" label={t.audit.decision} choices={t.audit.decisions} />
        <Choice name="from" label={t.audit.since} choices={t.audit.ranges} initial={FIRST.from} />
        <button type="submit" className="button">{t.audit.show}</button>
      </div>
    </Form>
  );
}

function Trail({ asked }: { asked: AuditAsked }) {
  const { data, error, isFetching, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ["audit", asked],
    queryFn: ({ pageParam, signal }) => api.audit(asked, { limit: PAGE, after: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    retry,
  });
  const rows = data?.pages.flatMap((page) => page.rows) ?? [];
  const fault = error && (error instanceof ApiError ? error.message : t.states.awayText);
  return (
    <Section title={t.audit.requests}>
      <Fault text={fault} />
      {data && rows.length === 0 && <p className="muted">{t.audit.none}</p>}
      {rows.length > 0 && <Rows rows={rows} />}
      {hasNextPage && (
        <button type="button" className="button" disabled={isFetching} onClick={() => void fetchNextPage()}>{t.audit.older}</button>
      )}
    </Section>
  );
}

function Rows({ rows }: { rows: AuditRow[] }) {
  const [open, setOpen] = useState<string | null>(null);
  const heads = [t.audit.time, t.audit.user, t.audit.action, t.audit.object, t.audit.decision, t.audit.outcome, t.audit.rows, t.people.action];
  return (
    <Table caption={t.audit.requests} heads={heads}>
      {rows.map((row) => {
        const key = `${row.id} ${row.event}`;
        const isOpen = open === key;
        return (
          <Fragment key={key}>
            <tr>
              <th scope="row"><Moment at={row.time} /></th>
              <td><Visible text={who(row)} /></td>
              <td>{row.action ?? row.event}</td>
              <td className="what" title={visibleLine(what(row).slice(0, CUT))}><Visible text={what(row)} /></td>
              <td className={row.decision === "deny" ? "denied" : undefined}>{row.decision}</td>
              <td>{row.outcome}</td>
              <td>{row.rows}</td>
              <td>
                <button type="button" className="button" aria-expanded={isOpen} aria-label={t.audit.detailsOf(row.text)} onClick={() => setOpen(isOpen ? null : key)}>
                  {t.audit.details}
                </button>
              </td>
            </tr>
            {isOpen && <tr><td colSpan={heads.length}><Details row={row} /></td></tr>}
          </Fragment>
        );
      })}
    </Table>
  );
}

/** Whoever it was, or says they were. */
function who(row: AuditRow): string {
  const name = row.user ?? t.audit.server;
  const beside = row.owner ?? row.claimed;
  return beside ? `${name} (${beside})` : name;
}

function what(row: AuditRow): string {
  return [row.object, row.query].filter(Boolean).join(": ") || row.text;
}

function Details({ row }: { row: AuditRow }) {
  const { more, ...named } = row;
  const all = [...Object.entries(named), ...Object.entries(more)].filter(([, value]) => value !== null && value !== "");
  return (
    <dl className="details">
      {all.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd><Visible text={String(value)} lines /></dd>
        </Fragment>
      ))}
    </dl>
  );
}
