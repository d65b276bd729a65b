import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { ApiError, api } from "../api/client";
import { t } from "../strings";

/** By password, or by a link that can be used once. */
export function SignIn({ link, done }: { link?: string; done(): void }) {
  const [attempt, run] = useAttempt(done);
  const tried = useRef(false);
  useEffect(() => {
    if (link === undefined || tried.current) return;
    tried.current = true;
    run(() => api.signIn({ link }));
  }, [link, run]);
  if (link !== undefined && attempt.fault === null) return <Sheet title={t.signIn.title}>{null}</Sheet>;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    run(() => api.signIn({ user: text(form, "user"), password: text(form, "password") }));
  };
  return (
    <Sheet title={t.signIn.title} fault={attempt.fault}>
      <form className="sign-in-form" onSubmit={submit}>
        <Field name="user" label={t.signIn.user} complete="username" focus />
        <Field name="password" label={t.signIn.password} complete="current-password" secret />
        <button type="submit" className="button primary" disabled={attempt.busy}>{t.signIn.go}</button>
      </form>
    </Sheet>
  );
}

/** The first administrator. */
export function SetUp({ link, done, leave }: { link: string; done(): void; leave(): void }) {
  const [attempt, run] = useAttempt(done);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    run(() => api.setUp({ link, user: text(form, "user"), password: text(form, "password") }));
  };
  return (
    <Sheet title={t.signIn.setUpTitle} fault={attempt.fault}>
      <p>{t.signIn.setUpText}</p>
      <form className="sign-in-form" onSubmit={submit}>
        <Field name="user" label={t.signIn.user} complete="username" focus />
        <Field name="password" label={t.signIn.newPassword} complete="new-password" hint={t.signIn.passwordHint} secret />
        <button type="submit" className="button primary" disabled={attempt.busy}>{t.signIn.setUpGo}</button>
        <button type="button" className="link" onClick={leave}>{t.signIn.later}</button>
      </form>
    </Sheet>
  );
}

interface Attempt {
  busy: boolean;
  fault: string | null;
}

function useAttempt(done: () => void): [Attempt, (work: () => Promise<unknown>) => void] {
  const [attempt, setAttempt] = useState<Attempt>({ busy: false, fault: null });
  const run = (work: () => Promise<unknown>) => {
    setAttempt({ busy: true, fault: null });
    work().then(done, (error: unknown) => setAttempt({ busy: false, fault: sentence(error) }));
  };
  return [attempt, run];
}

function sentence(error: unknown): string {
  if (error instanceof ApiError) return error.status === 401 ? t.signIn.wrong : error.message;
  return t.states.awayText;
}

function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}

function Sheet({ title, fault, children }: { title: string; fault?: string | null; children: ReactNode }) {
  return (
    <main className="sign-in">
      <p className="brand">{t.product}</p>
      <h1>{title}</h1>
      {fault && <p className="text-error" role="alert">{fault}</p>}
      {children}
    </main>
  );
}

interface FieldProps {
  name: string;
  label: string;
  complete: string;
  hint?: string;
  secret?: boolean;
  focus?: boolean;
}

function Field({ name, label, complete, hint, secret = false, focus = false }: FieldProps) {
  const hintId = hint === undefined ? undefined : `${name}-hint`;
  return (
    <label className="sign-in-field">
      <span>{label}</span>
      <input
        name={name} type={secret ? "password" : "text"} autoComplete={complete} autoFocus={focus} required
        autoCapitalize="none" spellCheck={false} aria-describedby={hintId}
      />
      {hint && <span className="muted" id={hintId}>{hint}</span>}
    </label>
  );
}
