import { useQueryClient } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import { api } from "../../api/client";
import { sessionChanged } from "../../api/session";
import type { Session } from "../../api/types";
import { VIEW_NAMES, pagesOfPeople } from "../../lib/pageNames";
import { PATHS } from "../../lib/url";
import { t } from "../../strings";

/** A page beside the console: where else one can go, and sections one below the other. */
export function Page({ title, session, children }: { title: string; session: Session | undefined; children: ReactNode }) {
  const client = useQueryClient();
  useEffect(() => {
    document.title = `${title} – ${t.product}`;
  }, [title]);
  const links = [...PATHS.map((path): [string, string] => [path, VIEW_NAMES[path]]), ...pagesOfPeople(session)];
  const leave = () => void api.signOut().finally(() => sessionChanged(client));
  return (
    <div className="page">
      <header className="page-head">
        <p className="brand">{t.product}</p>
        <nav aria-label={t.pages.label}>
          {links.map(([path, name]) => (
            <a key={path} href={path} aria-current={path === location.pathname ? "page" : undefined}>{name}</a>
          ))}
        </nav>
        {session?.by === "session" && (
          <button type="button" className="button" onClick={leave}>{t.signIn.leave(session.shown ?? session.name)}</button>
        )}
      </header>
      <main className="page-main">
        <h1>{title}</h1>
        {children}
      </main>
    </div>
  );
}

export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="page-section">
      <h2>{title}</h2>
      {children}
    </section>
  );
}
