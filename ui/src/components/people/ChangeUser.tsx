import { api } from "../../api/client";
import type { Done, User } from "../../api/types";
import { t } from "../../strings";
import { Choices, Fault, Form, Sure, useAttempt } from "../Form";

interface Props {
  user: User;
  roles: string[];
  settle(answer: Done): void;
  cancel(): void;
}

/** One person: roles, whether they are kept out, a link for another password, and their second factor. */
export function ChangeUser({ user, roles, settle, cancel }: Props) {
  const [{ busy, fault }, run] = useAttempt<Done>(settle);
  const name = t.people.changeWho(user.shown);
  return (
    <Form
      label={name}
      send={(form) => run(() => api.setUser(user.user, {
        roles: user.oidc ? user.roles : form.all("roles"),
        disabled: form.all("disabled").length > 0,
      }))}
    >
      <h3>{name}</h3>
      <Fault text={fault} />
      {user.oidc ? <p>{t.people.groups}</p> : <Choices name="roles" label={t.people.roles} choices={roles} chosen={user.roles} />}
      <Choices name="disabled" label={t.people.state} choices={[t.people.disabled]} chosen={user.disabled ? [t.people.disabled] : []} />
      <p className="muted">{t.people.endsAll}</p>
      <div className="buttons">
        <button type="submit" className="button primary" disabled={busy} autoFocus>{t.people.save}</button>
        {!user.oidc && <Sure label={t.people.link} sure={t.people.linkSure} disabled={busy} act={() => run(() => api.addLink(user.user))} />}
        {user.second_factor && (
          <Sure label={t.people.reset} sure={t.people.resetSure} disabled={busy} act={() => run(() => api.resetSecondFactor(user.user))} />
        )}
        <button type="button" className="button" onClick={cancel}>{t.people.cancel}</button>
      </div>
    </Form>
  );
}
