import { useQueryClient } from "@tanstack/react-query";
import { api } from "../../api/client";
import type { User, UserLink } from "../../api/types";
import { t } from "../../strings";
import { Choices, Fault, Form, Sure, useAttempt } from "../Form";

interface Props {
  user: User;
  roles: string[];
  linked(link: UserLink): void;
  done(): void;
}

/** One person: roles, whether they are kept out, a link for another password, and their second factor. */
export function ChangeUser({ user, roles, linked, done }: Props) {
  const client = useQueryClient();
  const refresh = () => void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "users" || queryKey[0] === "sessions" });
  const [attempt, run] = useAttempt<unknown>(() => {
    refresh();
    done();
  });
  const [linking, runLink] = useAttempt<UserLink>((link) => {
    linked(link);
    done();
  });
  const busy = attempt.busy || linking.busy;
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
      <Fault text={attempt.fault ?? linking.fault} />
      {user.oidc ? <p>{t.people.groups}</p> : <Choices name="roles" label={t.people.roles} choices={roles} chosen={user.roles} />}
      <Choices name="disabled" label={t.people.state} choices={[t.people.disabled]} chosen={user.disabled ? [t.people.disabled] : []} />
      <p className="muted">{t.people.endsAll}</p>
      <div className="buttons">
        <button type="submit" className="button primary" disabled={busy} autoFocus>{t.people.save}</button>
        {!user.oidc && <Sure label={t.people.link} sure={t.people.linkSure} disabled={busy} act={() => runLink(() => api.addLink(user.user))} />}
        {user.second_factor && (
          <Sure label={t.people.reset} sure={t.people.resetSure} disabled={busy} act={() => run(() => api.resetSecondFactor(user.user))} />
        )}
        <button type="button" className="button" onClick={done}>{t.people.cancel}</button>
      </div>
    </Form>
  );
}
