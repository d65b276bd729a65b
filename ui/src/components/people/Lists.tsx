import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { api } from "../../api/client";
import { sessionChanged } from "../../api/session";
import type { OwnSession, Token } from "../../api/types";
import { t } from "../../strings";
import { Fault, Sure, useAttempt } from "../Form";
import { Visible } from "../Visible";

export function Moment({ at }: { at: string | null }) {
  return at ? <time dateTime={at} title={at}>{new Date(at).toLocaleString()}</time> : <span className="muted">{t.people.never}</span>;
}

/** A table that scrolls within itself, and says by its caption what it is of. */
export function Table({ caption, heads, children }: { caption: string; heads: string[]; children: ReactNode }) {
  return (
    <div className="table" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption className="offscreen">{caption}</caption>
        <thead><tr>{heads.map((head) => <th key={head} scope="col">{head}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

interface SessionsProps {
  sessions: OwnSession[];
  names: (user: string) => string;
  mayEnd: boolean;
}

export function Sessions({ sessions, names, mayEnd }: SessionsProps) {
  const client = useQueryClient();
  const [attempt, run] = useAttempt<unknown>(() => void client.invalidateQueries({ queryKey: ["sessions"] }));
  const end = ({ id, current }: OwnSession) => run(async () => {
    await api.endSession(id);
    if (current) sessionChanged(client);
  });
  const heads = [t.people.user, t.people.from, t.people.began, t.people.used, t.people.ends, t.people.action];
  return (
    <>
      <Fault text={attempt.fault} />
      <Table caption={t.people.sessions} heads={heads}>
        {sessions.map((session) => (
          <tr key={session.id}>
            <th scope="row"><Visible text={names(session.user)} /></th>
            <td>{session.address}{session.current && ` (${t.people.current})`}</td>
            <td><Moment at={session.created} /></td>
            <td><Moment at={session.used} /></td>
            <td><Moment at={session.expires} /></td>
            <td>{mayEnd && <Sure label={t.people.end} sure={t.people.sure} disabled={attempt.busy} act={() => end(session)} />}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

interface TokensProps {
  tokens: Token[];
  names: (user: string) => string;
  mayEnd: boolean;
}

export function Tokens({ tokens, names, mayEnd }: TokensProps) {
  const client = useQueryClient();
  const [attempt, run] = useAttempt<unknown>(() => void client.invalidateQueries({ queryKey: ["tokens"] }));
  if (tokens.length === 0) return <p className="muted">{t.people.noTokens}</p>;
  const heads = [t.people.token, t.people.owner, t.people.roles, t.people.ends, t.people.used, t.people.action];
  return (
    <>
      <Fault text={attempt.fault} />
      <Table caption={t.people.tokens} heads={heads}>
        {tokens.map((token) => (
          <tr key={token.id}>
            <th scope="row"><Visible text={token.name} /> <code className="muted">lkt_{token.id}</code></th>
            <td><Visible text={names(token.owner)} /></td>
            <td>{token.roles.join(", ")}</td>
            <td><Moment at={token.expires} /></td>
            <td><Moment at={token.used} /></td>
            <td>
              {mayEnd && <Sure label={t.people.end} sure={t.people.sure} disabled={attempt.busy} act={() => run(() => api.endToken(token.id))} />}
            </td>
          </tr>
        ))}
      </Table>
    </>
  );
}
