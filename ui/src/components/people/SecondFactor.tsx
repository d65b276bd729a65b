import { useMemo, useState } from "react";
import { api } from "../../api/client";
import type { Enrolment, Session } from "../../api/types";
import { t } from "../../strings";
import { Fault, Field, Form, useAttempt } from "../Form";
import { Once } from "../Once";

/** Getting a second factor: the password, the secret for an app, a code of it, and the recovery codes. */
export function Enrol({ done }: { done(): void }) {
  const [made, setMade] = useState<Enrolment | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const [begin, runBegin] = useAttempt(setMade);
  const [confirm, runConfirm] = useAttempt<{ recovery_codes: string[] }>((answer) => setCodes(answer.recovery_codes));
  if (codes) return <Once label={t.account.recovery} lines={codes} done={done} />;
  if (!made) {
    return (
      <Form label={t.account.second} send={(form) => runBegin(() => api.beginSecondFactor(form.text("password")))}>
        <Fault text={begin.fault} />
        <Field name="password" label={t.signIn.password} complete="current-password" kind="password" />
        <button type="submit" className="button primary" disabled={begin.busy}>{t.account.begin}</button>
      </Form>
    );
  }
  return (
    <Form label={t.account.second} send={(form) => runConfirm(() => api.confirmSecondFactor(form.text("code")))}>
      <p>{t.account.scan}</p>
      <QrCode svg={made.qr} />
      <p><a href={made.uri}>{t.account.open}</a></p>
      <p>{t.account.type} <code className="secret">{made.secret}</code></p>
      <Fault text={confirm.fault} />
      <Field name="code" label={t.account.code} complete="one-time-code" focus />
      <button type="submit" className="button primary" disabled={confirm.busy}>{t.account.confirm}</button>
    </Form>
  );
}

/** Drawn from its parts: nothing of an answer becomes markup. */
function QrCode({ svg }: { svg: string }) {
  const drawn = useMemo(() => {
    const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    return { box: root.getAttribute("viewBox") ?? "", path: root.querySelector("path")?.getAttribute("d") ?? "" };
  }, [svg]);
  return (
    <svg className="qr" viewBox={drawn.box} role="img" aria-label={t.account.qr} shapeRendering="crispEdges">
      <path d={drawn.path} />
    </svg>
  );
}

/** One's own second factor: getting one, other recovery codes, switching it off. */
export function SecondFactor({ session, changed }: { session: Session; changed(): void }) {
  const [codes, setCodes] = useState<string[] | null>(null);
  const done = () => {
    setCodes(null);
    changed();
  };
  const [attempt, run] = useAttempt<{ recovery_codes?: string[] }>((answer) => {
    if (answer.recovery_codes) setCodes(answer.recovery_codes);
    else done();
  });
  if (codes) return <Once label={t.account.recovery} lines={codes} done={done} />;
  if (!session.second_factor?.on) return <Enrol done={done} />;
  return (
    <>
      <p>{t.account.left(session.second_factor.recovery_codes ?? 0)}</p>
      <Form
        label={t.account.second}
        send={(form) => {
          const shown = { password: form.text("password"), code: form.text("code") };
          run(() => (form.by === "off" ? api.endSecondFactor(shown) : api.renewRecoveryCodes(shown)));
        }}
      >
        <Fault text={attempt.fault} />
        <Field name="password" label={t.signIn.password} complete="current-password" kind="password" />
        <Field name="code" label={t.signIn.code} complete="one-time-code" />
        <div className="buttons">
          <button type="submit" className="button" value="renew" disabled={attempt.busy}>{t.account.renew}</button>
          <button type="submit" className="button" value="off" disabled={attempt.busy}>{t.account.off}</button>
        </div>
      </Form>
    </>
  );
}
