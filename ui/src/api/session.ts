/** Who is signed in, and how they come to be. */
import { useQuery, type QueryClient } from "@tanstack/react-query";
import { api, url } from "./client";
import { forget } from "../lib/sqlHistory";
import { retry } from "./queries";

const KEY = ["session"];

export function useSession() {
  return useQuery({ queryKey: KEY, queryFn: ({ signal }) => api.session(signal), retry, staleTime: Infinity });
}

/** Asks anew who is there; what was read as somebody else is forgotten. */
export function sessionChanged(client: QueryClient): void {
  client.removeQueries({ predicate: (query) => query.queryKey[0] !== KEY[0] });
  forget(localStorage);
  void client.resetQueries({ queryKey: KEY });
}

/** What a one-time link in the address is for. Its secret stands behind `#`, which no server and no log sees. */
export interface Link {
  purpose: "set-up" | "sign-in" | "password";
  secret: string;
}

export function linkIn(hash: string): Link | null {
  const found = /^#(set-up|sign-in|password)=(lkl_[0-9a-f.]+)$/.exec(hash);
  return found ? { purpose: found[1] as Link["purpose"], secret: found[2] as string } : null;
}

/** Why a sign-in at the provider came to nothing, if that is why we are here. */
export function refusalIn(hash: string): string | null {
  return /^#sign-in-refused=([a-z_]+)$/.exec(hash)?.[1] ?? null;
}

/** Where a sign-in at the provider begins; it ends where one wanted to go. */
export function oidcStart(): string {
  return url("/session/oidc/start", { to: location.pathname + location.search });
}

/** Takes the link out of the address, so that it is not copied with it. */
export function forgetLink(): void {
  history.replaceState(history.state, "", location.pathname + location.search);
}
