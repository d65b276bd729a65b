import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { retry } from "../../api/queries";
import { useSession } from "../../api/session";
import type { Approval, Done, Session, UserLink } from "../../api/types";
import { t } from "../../strings";
import { Fault, Sure, useAttempt } from "../Form";
import { Once } from "../Once";
import { Visible } from "../Visible";
import { BreakGlass, Glasses } from "./BreakGlass";
import { Moment, Table } from "./Lists";
import { Page, Section } from "./Page";

/** What waits for a second person, and who did alone what takes two. */
export function ApprovalsPage() {
  const { data: session } = useSession();
  const may = session?.may ?? [];
  if (!session) return <Page title={t.pages.approvals} session={session}>{null}</Page>;
  const isFor = may.includes("list_approvals") || may.includes("break_glass");
  return (
    <Page title={t.pages.approvals} session={session}>
      {!isFor && <p>{t.approvals.notForYou}</p>}
      {may.includes("list_approvals") && <Waiting session={session} />}
      {may.includes("break_glass") && <BreakGlass session={session} />}
      {may.includes("list_approvals") && <Glasses session={session} />}
    </Page>
  );
}

function Waiting({ session }: { session: Session }) {
  const client = useQueryClient();
  const [link, setLink] = useState<UserLink | null>(null);
  const [statement, setStatement] = useState<string | null>(null);
  const refresh = () => void client.invalidateQueries({ queryKey: ["approvals"] });
  const [attempt, run] = useAttempt<Done>((done) => {
    refresh();
    if ("link" in done && done.link) setLink({ user: done.user, link: done.link });
    if ("statement" in done) setStatement(done.statement);
  }, () => {
    // Somebody else may have decided, or what it is about has changed.
    refresh();
    return false;
  });
  const { data } = useQuery({ queryKey: ["approvals"], queryFn: ({ signal }) => api.approvals(signal), retry });
  const waiting = data?.approvals ?? [];
  const decide = (request: Approval, decision: "approve" | "refuse") => run(() => api.decide(request, decision));
  return (
    <Section title={t.approvals.waiting}>
      <Fault text={attempt.fault} />
      {link && <Once label={t.people.linkOnce(link.user)} lines={[`${location.origin}/#password=${link.link}`]} done={() => setLink(null)} />}
      {statement && <Once label={t.approvals.destroyed} lines={statement.split("\n")} done={() => setStatement(null)} />}
      {waiting.length === 0 ? <p className="muted">{t.approvals.nothing}</p> : (
        <Table caption={t.approvals.waiting} heads={[t.approvals.what, t.approvals.by, t.approvals.until, t.people.action]}>
          {waiting.map((request) => (
            <tr key={request.id}>
              <th scope="row">
                <Visible text={request.what} />
                <details><summary>{t.approvals.full}</summary><pre tabIndex={0}>{request.text}</pre></details>
              </th>
              <td><Visible text={request.requester} /></td>
              <td><Moment at={request.expires} /></td>
              <td><Decision request={request} session={session} busy={attempt.busy} decide={decide} /></td>
            </tr>
          ))}
        </Table>
      )}
    </Section>
  );
}

interface DecisionProps {
  request: Approval;
  session: Session;
  busy: boolean;
  decide(request: Approval, decision: "approve" | "refuse"): void;
}

/** Nobody approves what they asked for, or what is about themselves. */
function Decision({ request, session, busy, decide }: DecisionProps) {
  if (!session.may.includes("approve")) return null;
  const isOwn = request.requester === session.name;
  const isFree = !isOwn && request.about !== session.name;
  const refusing = isOwn ? t.approvals.takeBack : t.approvals.refuse;
  return (
    <div className="buttons">
      {isFree && <Sure label={t.approvals.approve} sure={t.approvals.approveSure} disabled={busy} act={() => decide(request, "approve")} />}
      <Sure label={refusing} sure={t.approvals.refuseSure} disabled={busy} act={() => decide(request, "refuse")} />
    </div>
  );
}

/** That something is not done yet. */
export function Waits({ request, done }: { request: Approval; done(): void }) {
  return (
    <section className="once" role="status" aria-label={t.approvals.notYet}>
      <p>{t.approvals.notYet} <Visible text={request.what} /></p>
      <div className="buttons">
        <a className="button" href="/approvals">{t.pages.approvals}</a>
        <button type="button" className="button primary" onClick={done}>{t.approvals.close}</button>
      </div>
    </section>
  );
}
