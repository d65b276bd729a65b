import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";
import { ApiError } from "../api/client";
import { forgetLink, linkIn, sessionChanged, useSession, type Link } from "../api/session";
import { t } from "../strings";
import { Enrol } from "./people/SecondFactor";
import { Sheet } from "./Sheet";
import { ChoosePassword, SetUp, SignIn } from "./SignIn";

/** Lets through whoever the server knows, and asks everybody else who they are. */
export function Gate({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const session = useSession();
  const [link, setLink] = useState<Link | null>(() => linkIn(location.hash));
  useEffect(() => {
    const read = () => setLink((known) => linkIn(location.hash) ?? known);
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, []);
  useEffect(() => signedOutAnywhere(client), [client]);

  const done = () => {
    forgetLink();
    setLink(null);
    sessionChanged(client);
  };
  if (link?.purpose === "set-up") return <SetUp link={link.secret} done={done} leave={done} />;
  if (link?.purpose === "password") return <ChoosePassword link={link.secret} done={done} leave={done} />;
  if (link) return <SignIn link={link.secret} done={done} />;
  if (session.isPending) return null;
  if (session.error instanceof ApiError && session.error.status === 401) {
    return <SignIn provider={session.error.answer.oidc?.label} done={done} />;
  }
  if (session.data?.second_factor?.needed) {
    return (
      <Sheet title={t.account.second}>
        <p>{t.account.needed}</p>
        <Enrol done={done} />
      </Sheet>
    );
  }
  // A server that is away is the console's own concern: it says so, and watches for its return.
  return children;
}

/** Any answer that nobody is signed in asks anew who is there. */
function signedOutAnywhere(client: ReturnType<typeof useQueryClient>): () => void {
  return client.getQueryCache().subscribe((event) => {
    if (event.type !== "updated" || event.action.type !== "error" || event.query.queryKey[0] === "session") return;
    const error: unknown = event.action.error;
    if (error instanceof ApiError && error.status === 401) void client.invalidateQueries({ queryKey: ["session"] });
  });
}
