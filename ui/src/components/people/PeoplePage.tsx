import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api } from "../../api/client";
import { retry } from "../../api/queries";
import { useSession } from "../../api/session";
import type { Approval, Done, User, UserLink } from "../../api/types";
import { t } from "../../strings";
import { Choices, Fault, Field, Form, useAttempt } from "../Form";
import { Once } from "../Once";
import { Waits } from "./ApprovalsPage";
import { Sessions, Table, Tokens } from "./Lists";
import { Page, Section } from "./Page";
import { ChangeUser } from "./ChangeUser";
import { Visible } from "../Visible";

const ROLES = ["administrator", "analyst", "engineer", "auditor", "collector", "break-glass"];

/** Everybody: who there is, what they may do, and by what they are known just now. */
export function PeoplePage() {
  const { data: session } = useSession();
  const may = session?.may ?? [];
  const { data: users } = useQuery({ queryKey: ["users"], queryFn: ({ signal }) => api.users(signal), retry, enabled: may.includes("list_users") });
  const names = useMemo(() => {
    const shown = new Map(users?.users.map((user) => [user.user, user.shown]));
    return (user: string) => shown.get(user) ?? user;
  }, [users]);
  if (!session) return <Page title={t.pages.people} session={session}>{null}</Page>;
  if (!may.includes("list_users")) {
    return <Page title={t.pages.people} session={session}><p>{t.people.notForYou}</p></Page>;
  }
  return (
    <Page title={t.pages.people} session={session}>
      <Users users={users?.users ?? []} mayChange={may.includes("manage_users")} />
      {may.includes("list_tokens") && <AllTokens names={names} mayEnd={may.includes("manage_tokens")} />}
      {may.includes("list_sessions") && <AllSessions names={names} mayEnd={may.includes("manage_sessions")} />}
    </Page>
  );
}

/** How somebody signs in, and what is in the way. */
function state(user: User): string {
  const known = user.oidc ? t.people.provider : user.has_password ? t.people.password : t.people.noPassword;
  return [user.disabled ? t.people.disabled : null, known, user.second_factor ? t.people.secondFactor : null].filter(Boolean).join(", ");
}

function Users({ users, mayChange }: { users: User[]; mayChange: boolean }) {
  const client = useQueryClient();
  const [link, setLink] = useState<UserLink | null>(null);
  const [waits, setWaits] = useState<Approval | null>(null);
  const [changed, setChanged] = useState<string | null>(null);
  const settle = (answer: Done) => {
    if ("approval" in answer) setWaits(answer.approval);
    else if ("link" in answer && answer.link) setLink({ user: answer.user, link: answer.link });
    setChanged(null);
    void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "users" || queryKey[0] === "sessions" });
  };
  const [attempt, run] = useAttempt<Done>(settle);
  const user = users.find((each) => each.user === changed);
  return (
    <Section title={t.people.users}>
      <Table caption={t.people.users} heads={[t.people.user, t.people.roles, t.people.state, t.people.action]}>
        {users.map((each) => (
          <tr key={each.user}>
            <th scope="row"><Visible text={each.shown} />{each.shown !== each.user && <code className="muted"> {each.user}</code>}</th>
            <td>{each.roles.join(", ")}</td>
            <td>{state(each)}</td>
            <td>
              {mayChange && (
                <button type="button" className="button" aria-label={t.people.changeWho(each.shown)} onClick={() => setChanged(each.user)}>
                  {t.people.change}
                </button>
              )}
            </td>
          </tr>
        ))}
      </Table>
      {link ? (
        <Once label={t.people.linkOnce(link.user)} lines={[`${location.origin}/#password=${link.link}`]} done={() => setLink(null)} />
      ) : waits ? (
        <Waits request={waits} done={() => setWaits(null)} />
      ) : user && mayChange ? (
        <ChangeUser key={user.user} user={user} roles={ROLES} settle={settle} cancel={() => setChanged(null)} />
      ) : mayChange && (
        <Form label={t.people.add} send={(form) => run(() => api.addUser({ user: form.text("user"), roles: form.all("roles") }))}>
          <h3>{t.people.add}</h3>
          <Fault text={attempt.fault} />
          <Field name="user" label={t.signIn.user} hint={t.people.addHint} />
          <Choices name="roles" label={t.people.roles} choices={ROLES} />
          <button type="submit" className="button" disabled={attempt.busy}>{t.people.add}</button>
        </Form>
      )}
    </Section>
  );
}

interface AllProps {
  names: (user: string) => string;
  mayEnd: boolean;
}

function AllTokens(props: AllProps) {
  const { data } = useQuery({ queryKey: ["tokens"], queryFn: ({ signal }) => api.tokens(signal), retry });
  return <Section title={t.people.tokens}><Tokens tokens={data?.tokens ?? []} {...props} /></Section>;
}

function AllSessions(props: AllProps) {
  const { data } = useQuery({ queryKey: ["sessions"], queryFn: ({ signal }) => api.sessions(signal), retry });
  return <Section title={t.people.sessions}><Sessions sessions={data?.sessions ?? []} {...props} /></Section>;
}
