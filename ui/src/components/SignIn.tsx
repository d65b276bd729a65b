import { useEffect, useRef, useState } from "react";
import { ApiError, api, type Password } from "../api/client";
import { oidcStart, refusalIn } from "../api/session";
import { t } from "../strings";
import { Field, Form, useAttempt } from "./Form";
import { Sheet } from "./Sheet";

/** By password and a code where one is needed, by a link that can be used once, or at a provider. */
export function SignIn({ link, provider, done }: { link?: string | undefined; provider?: string | undefined; done(): void }) {
  const [refusal] = useState(() => refusalIn(location.hash));
  const [waiting, setWaiting] = useState<Password | null>(null);
  const sent = useRef<Password | null>(null);
  const [attempt, run] = useAttempt<unknown>(done, (error) => {
    const needsCode = error instanceof ApiError && error.body.code === "code_needed";
    if (needsCode) setWaiting(sent.current);
    return needsCode;
  });
  const tried = useRef(false);
  useEffect(() => {
    if (link === undefined || tried.current) return;
    tried.current = true;
    run(() => api.signIn({ link }));
  }, [link, run]);
  if (link !== undefined && attempt.fault === null) return <Sheet title={t.signIn.title}>{null}</Sheet>;
  if (waiting) {
    return (
      <Sheet title={t.signIn.codeTitle} fault={attempt.fault}>
        <Form send={(form) => run(() => api.signIn({ ...waiting, code: form.text("code") }))}>
          <Field name="code" label={t.signIn.code} complete="one-time-code" hint={t.signIn.codeHint} focus />
          <button type="submit" className="button primary" disabled={attempt.busy}>{t.signIn.go}</button>
          <button type="button" className="link" onClick={() => setWaiting(null)}>{t.signIn.other}</button>
        </Form>
      </Sheet>
    );
  }
  return (
    <Sheet title={t.signIn.title} fault={attempt.fault ?? (refusal && (t.signIn.refused[refusal] ?? t.signIn.wrong))}>
      {provider !== undefined && <a className="button provider" href={oidcStart()}>{t.signIn.at(provider)}</a>}
      <Form
        send={(form) => {
          sent.current = { user: form.text("user"), password: form.text("password") };
          run(() => api.signIn(sent.current as Password));
        }}
      >
        <Field name="user" label={t.signIn.user} complete="username" focus />
        <Field name="password" label={t.signIn.password} complete="current-password" kind="password" />
        <button type="submit" className="button primary" disabled={attempt.busy}>{t.signIn.go}</button>
      </Form>
    </Sheet>
  );
}

/** The first administrator. */
export function SetUp({ link, done, leave }: { link: string; done(): void; leave(): void }) {
  const [attempt, run] = useAttempt<unknown>(done);
  return (
    <Sheet title={t.signIn.setUpTitle} fault={attempt.fault}>
      <p>{t.signIn.setUpText}</p>
      <Form send={(form) => run(() => api.setUp({ link, user: form.text("user"), password: form.text("password") }))}>
        <Field name="user" label={t.signIn.user} complete="username" focus />
        <Field name="password" label={t.signIn.newPassword} complete="new-password" hint={t.signIn.passwordHint} kind="password" />
        <button type="submit" className="button primary" disabled={attempt.busy}>{t.signIn.setUpGo}</button>
        <button type="button" className="link" onClick={leave}>{t.signIn.later}</button>
      </Form>
    </Sheet>
  );
}

/** By a link that an administrator has made; whoever has chosen signs in with it. */
export function ChoosePassword({ link, done, leave }: { link: string; done(): void; leave(): void }) {
  const [attempt, run] = useAttempt<unknown>(done);
  return (
    <Sheet title={t.signIn.chooseTitle} fault={attempt.fault}>
      <Form send={(form) => run(() => api.choosePassword({ link, password: form.text("password") }))}>
        <Field name="password" label={t.signIn.newPassword} complete="new-password" hint={t.signIn.passwordHint} kind="password" focus />
        <button type="submit" className="button primary" disabled={attempt.busy}>{t.signIn.choose}</button>
        <button type="button" className="link" onClick={leave}>{t.signIn.later}</button>
      </Form>
    </Sheet>
  );
}
