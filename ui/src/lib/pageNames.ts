/** The pages by their names. */
import type { Session } from "../api/types";
import { t } from "../strings";
import type { Path } from "./url";

export const VIEW_NAMES: { [path in Path]: string } = {
  "/": t.pages.overview, "/logs": t.pages.logs, "/patterns": t.pages.patterns, "/traces": t.pages.traces, "/services": t.pages.services, "/sources": t.pages.sources, "/sql": t.pages.sql,
};

/** Those of people, as far as they are for this one; whoever is let in without signing in has no account. */
export function pagesOfPeople(session: Session | undefined): [path: string, name: string][] {
  const may = (...actions: string[]) => session?.may.some((action) => actions.includes(action)) === true;
  const pages: [string, string, boolean][] = [
    ["/account", t.pages.account, session?.by === "session"], ["/people", t.pages.people, may("list_users")],
    ["/audit", t.pages.audit, may("query_audit")], ["/approvals", t.pages.approvals, may("list_approvals", "break_glass")],
  ];
  return pages.filter(([, , isFor]) => isFor).map(([path, name]) => [path, name]);
}
