import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { retry } from "../../api/queries";
import { sessionChanged, useSession } from "../../api/session";
import type { NewToken, Session } from "../../api/types";
import { t } from "../../strings";
import { Choices, Fault, Field, Form, useAttempt } from "../Form";
import { Once } from "../Once";
import { Sessions, Tokens } from "./Lists";
import { Page, Section } from "./Page";
import { SecondFactor } from "./SecondFactor";

/** What is one's own: password, second factor, sessions and tokens. */
export function AccountPage() {
  const client = useQueryClient();
  const { data: session } = useSession();
  if (!session) return <Page title={t.pages.account} session={session}>{null}</Page>;
  if (session.by !== "session") {
    return <Page title={t.pages.account} session={session}><p>{t.account.nobody}</p></Page>;
  }
  const changed = () => sessionChanged(client);
  const name = session.shown ?? session.name;
  return (
    <Page title={t.pages.account} session={session}>
      <p>{t.account.who(name, session.roles)}</p>
      {session.second_factor ? (
        <>
          <Section title={t.account.second}><SecondFactor session={session} changed={changed} /></Section>
          <Section title={t.signIn.password}><ChangePassword done={changed} /></Section>
        </>
      ) : <p>{t.account.elsewhere}</p>}
      <OwnSessions session={session} />
      <OwnTokens session={session} />
    </Page>
  );
}

function ChangePassword({ done }: { done(): void }) {
  const [attempt, run] = useAttempt<unknown>(done);
  return (
    <Form label={t.signIn.password} send={(form) => run(() => api.changePassword({ old: form.text("old"), new: form.text("new") }))}>
      <Fault text={attempt.fault} />
      <Field name="old" label={t.account.oldPassword} complete="current-password" kind="password" />
      <Field name="new" label={t.signIn.newPassword} complete="new-password" hint={t.signIn.passwordHint} kind="password" />
      <button type="submit" className="button" disabled={attempt.busy}>{t.account.changePassword}</button>
    </Form>
  );
}

function OwnSessions({ session }: { session: Session }) {
  const { data } = useQuery({ queryKey: ["sessions"], queryFn: ({ signal }) => api.sessions(signal), retry });
  const own = data?.sessions.filter((each) => each.user === session.name) ?? [];
  return (
    <Section title={t.people.sessions}>
      <Sessions sessions={own} names={() => session.shown ?? session.name} mayEnd />
    </Section>
  );
}

function OwnTokens({ session }: { session: Session }) {
  const client = useQueryClient();
  const { data } = useQuery({ queryKey: ["tokens"], queryFn: ({ signal }) => api.tokens(signal), retry });
  const [made, setMade] = useState<NewToken | null>(null);
  const [attempt, run] = useAttempt<NewToken>((token) => {
    setMade(token);
    void client.invalidateQueries({ queryKey: ["tokens"] });
  });
  const own = data?.tokens.filter((token) => token.owner === session.name) ?? [];
  const isAdministrator = session.roles.includes("administrator");
  const choices = isAdministrator ? [...new Set([...session.roles, "collector"])] : session.roles;
  return (
    <Section title={t.people.tokens}>
      <Tokens tokens={own} names={() => session.shown ?? session.name} mayEnd />
      {made ? <Once label={t.people.tokenOnce(made.name)} lines={[made.token]} done={() => setMade(null)} /> : (
        <Form
          label={t.people.makeToken}
          send={(form) => run(() => api.addToken({ name: form.text("name"), roles: form.all("roles"), days: Number(form.text("days")) }))}
        >
          <Fault text={attempt.fault} />
          <Field name="name" label={t.people.tokenName} />
          <Field name="days" label={t.people.days} kind="number" initial="90" most={365} />
          <Choices name="roles" label={t.people.mayDo} choices={choices} />
          <button type="submit" className="button" disabled={attempt.busy}>{t.people.makeToken}</button>
        </Form>
      )}
    </Section>
  );
}
