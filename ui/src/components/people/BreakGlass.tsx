import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { retry } from "../../api/queries";
import { sessionChanged } from "../../api/session";
import type { Glass, Session } from "../../api/types";
import { t } from "../../strings";
import { Fault, Field, Form, Sure, useAttempt } from "../Form";
import { Visible } from "../Visible";
import { Moment, Table } from "./Lists";
import { Section } from "./Page";

const LONGEST_MINUTES = 60;

/** For who may break the glass: to do it, and to end it. */
export function BreakGlass({ session }: { session: Session }) {
  const client = useQueryClient();
  const [attempt, run] = useAttempt<unknown>(() => sessionChanged(client));
  return (
    <Section title={t.approvals.emergency}>
      <Fault text={attempt.fault} />
      {session.break_glass ? (
        <>
          <p>{t.approvals.broken}</p>
          <Sure label={t.approvals.mend} sure={t.people.sure} disabled={attempt.busy} act={() => run(() => api.endGlass())} />
        </>
      ) : (
        <Form
          label={t.approvals.break}
          send={(form) => run(() => api.breakGlass({ reason: form.text("reason"), minutes: Number(form.text("minutes")) }))}
        >
          <p>{t.approvals.loud}</p>
          <Field name="reason" label={t.approvals.reason} hint={t.approvals.reasonHint} />
          <Field name="minutes" label={t.approvals.minutes} kind="number" initial="15" most={LONGEST_MINUTES} />
          <button type="submit" className="button" disabled={attempt.busy}>{t.approvals.break}</button>
        </Form>
      )}
    </Section>
  );
}

function state({ active, overdue, review }: Glass): string {
  if (active) return t.approvals.active;
  if (review) return t.approvals.reviewed(review.by, review.note);
  return overdue ? t.approvals.overdue : t.approvals.toReview;
}

/** Who has broken the glass, and whether somebody has looked at what they did. */
export function Glasses({ session }: { session: Session }) {
  const client = useQueryClient();
  const [chosen, setChosen] = useState<string | null>(null);
  const [attempt, run] = useAttempt<unknown>(() => {
    setChosen(null);
    void client.invalidateQueries({ queryKey: ["break-glass"] });
  });
  const { data } = useQuery({ queryKey: ["break-glass"], queryFn: ({ signal }) => api.glasses(signal), retry });
  const glasses = data?.break_glass ?? [];
  const isMine = (glass: Glass) => session.may.includes("review") && !glass.active && !glass.review && glass.user !== session.name;
  const glass = glasses.find((each) => each.id === chosen);
  if (glasses.length === 0) return null;
  return (
    <Section title={t.approvals.glasses}>
      <Table caption={t.approvals.glasses} heads={[t.people.user, t.approvals.reason, t.people.began, t.people.state, t.people.action]}>
        {glasses.map((each) => (
          <tr key={each.id}>
            <th scope="row"><Visible text={each.user} /></th>
            <td><Visible text={each.reason} /></td>
            <td><Moment at={each.began} /></td>
            <td><Visible text={state(each)} /></td>
            <td>{isMine(each) && <button type="button" className="button" onClick={() => setChosen(each.id)}>{t.approvals.review}</button>}</td>
          </tr>
        ))}
      </Table>
      {glass && (
        <Form key={glass.id} label={t.approvals.reviewOf(glass.user)} send={(form) => run(() => api.review(glass.id, form.text("note")))}>
          <h3>{t.approvals.reviewOf(glass.user)}</h3>
          <p>{t.approvals.find} <code>{`"audit.break_glass" = '${glass.id}'`}</code></p>
          <Fault text={attempt.fault} />
          <Field name="note" label={t.approvals.note} focus />
          <button type="submit" className="button" disabled={attempt.busy}>{t.approvals.done}</button>
        </Form>
      )}
    </Section>
  );
}
