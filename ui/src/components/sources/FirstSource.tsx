import type { Receiver, Status } from "../../api/types";
import { sendersFor } from "../../lib/senders";
import { reached } from "../../lib/sources";
import { t } from "../../strings";
import { CopyButton } from "../RecordPanel";

/** Nothing was ever sent: what listens, and a line to paste for each common sender. */
export function FirstSource({ status }: { status: Status }) {
  const words = t.sources.first;
  const host = window.location.hostname;
  return (
    <main className="state state-never first-source" id="view">
      <h1 className="offscreen">{t.sources.title}</h1>
      <div className="state-card">
        <h2><span className="pulse" aria-hidden="true" />{words.title}</h2>
        <p>{words.text}</p>
        <h3>{words.senders}</h3>
        <dl className="senders">
          {sendersFor(status, host).map(({ name, line }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className="example"><pre tabIndex={0} aria-label={name}>{line}</pre><CopyButton label={words.copy(name)} text={() => line} /></dd>
            </div>
          ))}
        </dl>
        <h3>{words.receivers}</h3>
        {status.receivers.length === 0 ? <p>{words.none}</p> : <Receivers receivers={status.receivers} host={host} />}
        {status.receivers.some(({ senders }) => senders === "token" || senders === "any") && <p>{words.token}</p>}
      </div>
    </main>
  );
}

function Receivers({ receivers, host }: { receivers: Receiver[]; host: string }) {
  const words = t.sources.first;
  return (
    <div className="table" role="region" aria-label={words.receivers} tabIndex={0}>
      <table>
        <caption className="offscreen">{words.receivers}</caption>
        <thead><tr>{[words.name, words.port, words.demands, words.state].map((head) => <th key={head} scope="col">{head}</th>)}</tr></thead>
        <tbody>
          {receivers.map((receiver) => (
            <tr key={receiver.protocol + receiver.address}>
              <th scope="row"><span className={`receiver-state ${receiver.state === "listening" ? "receiver-ok" : ""}`} aria-hidden="true" /> {receiver.protocol}</th>
              <td>{receiver.address === null ? "–" : <code>{reached(receiver.address, host)}</code>}{receiver.tls && " TLS"}</td>
              <td>{receiver.senders === undefined || receiver.senders === "open" ? <span className="muted">{words.open}</span> : receiver.senders}</td>
              <td className="muted">{receiver.state}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
