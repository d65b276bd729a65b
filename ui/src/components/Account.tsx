import { useQueryClient } from "@tanstack/react-query";
import { api } from "../api/client";
import { sessionChanged, useSession } from "../api/session";
import { t } from "../strings";
import { IconButton } from "./Icon";

/** Who is signed in, and the way out. Whoever is let in without signing in sees nothing of it. */
export function Account() {
  const client = useQueryClient();
  const { data } = useSession();
  if (data?.by !== "session") return null;
  const leave = () => void api.signOut().finally(() => sessionChanged(client));
  return (
    <span className="account">
      <span className="muted wide-only ellipsis" title={data.roles.join(", ")}>{data.name}</span>
      <IconButton name="leave" label={t.signIn.leave(data.name)} onClick={leave} />
    </span>
  );
}
