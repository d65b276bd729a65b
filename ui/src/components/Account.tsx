import { useQueryClient } from "@tanstack/react-query";
import { api } from "../api/client";
import { sessionChanged, useSession } from "../api/session";
import { t } from "../strings";
import { IconButton } from "./Icon";
import { Visible } from "./Visible";

/** Who is signed in, and the way out. Whoever is let in without signing in sees nothing of it. */
export function Account() {
  const client = useQueryClient();
  const { data } = useSession();
  if (data?.by !== "session") return null;
  const name = data.shown ?? data.name;
  const leave = () => void api.signOut().finally(() => sessionChanged(client));
  return (
    <span className="account">
      <a className="ellipsis" href="/account" title={`${t.pages.account}: ${data.roles.join(", ")}`}><Visible text={name} /></a>
      <IconButton name="leave" label={t.signIn.leave(name)} onClick={leave} />
    </span>
  );
}
