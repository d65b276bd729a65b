import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import type { LogRecord } from "../api/types";
import { save } from "../lib/download";
import { checkProof, verdict, type ProofFile, type Step } from "../lib/proof";
import { localStamp } from "../lib/time";
import { t } from "../strings";
import { Icon } from "./Icon";

/** What the server has as proof of a record, and whether it holds, computed here. */
export function Proof({ record }: { record: LogRecord }) {
  const asked = useQuery({
    queryKey: ["proof", record.id],
    queryFn: ({ signal }) => api.proof(record.id, signal),
    retry: false,
    // A proof does not change, but one that was pending does.
    staleTime: (query) => (query.state.data?.file.state === "sealed" ? Infinity : 0),
  });
  if (asked.error) return <p role="alert">{asked.error.message}</p>;
  if (!asked.data) return <p className="muted" role="status">{t.proof.loading}</p>;
  const { file, text } = asked.data;
  if (file.state === "pending") return <Pending again={() => void asked.refetch()} waiting={asked.isFetching} />;
  return (
    <>
      <Facts file={file} />
      <Check file={file} record={record} />
      <p className="buttons">
        <button type="button" className="button" onClick={() => save(nameOf(file.id), asFile(text))}>{t.proof.download}</button>
        <code className="muted">logkeep verify --proof {nameOf(file.id)}</code>
      </p>
      <p className="muted proof-note">{t.proof.note}</p>
    </>
  );
}

function Pending({ again, waiting }: { again(): void; waiting: boolean }) {
  return (
    <p role="status">
      {t.proof.pending}{" "}
      <button type="button" className="link" disabled={waiting} onClick={again}>{t.proof.again}</button>
    </p>
  );
}

function Facts({ file }: { file: ProofFile }) {
  const facts: [string, string][] = [
    [t.proof.source, file.source ?? "–"],
    [t.proof.arrived, localStamp(BigInt(file.received_ns))],
    [t.proof.batch, t.proof.place(file.batch.index + 1, file.batch.records, file.batch.number)],
    [t.proof.leaf, `${file.leaf.index}, ${file.leaf.hash}`],
    [t.proof.tree, t.proof.entries(file.log.size)],
    [t.proof.root, file.log.root],
    [t.proof.origin, file.log.origin],
    [t.proof.key, file.key],
  ];
  return (
    <dl className="proof-facts">
      {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd><bdi>{value}</bdi></dd></div>)}
    </dl>
  );
}

function Check({ file, record }: { file: ProofFile; record: LogRecord }) {
  const [steps, setSteps] = useState<Step[] | null>(null);
  const [busy, setBusy] = useState(false);
  const verify = async () => {
    setBusy(true);
    setSteps(await checkProof(file, record));
    setBusy(false);
  };
  const all = steps && verdict(steps);
  return (
    <>
      <p className="buttons">
        <button type="button" className="button" disabled={busy} onClick={() => void verify()}><Icon name="check" /> {t.proof.verify}</button>
        <strong role="status" className={all ? `proof-${all}` : ""}>{all && t.proof.verdicts[all]}</strong>
      </p>
      {steps && (
        <ol className="proof-steps">
          {steps.map(({ name, outcome, why }) => (
            <li key={name} data-outcome={outcome}>
              <span className={`proof-${outcome}`}><Icon name={MARKS[outcome]} /> {t.proof.outcomes[outcome]}</span>{" "}
              {t.proof.steps[name]}{why && <>: <bdi>{why}</bdi></>}
              {outcome === "unchecked" && <>: {t.proof.unable}</>}
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

const MARKS = { held: "check", failed: "close", unchecked: "warn" } as const;

const nameOf = (id: string) => `proof-${id}.json`;

/** The text as the server wrote it: another writing of the same JSON would be another file. */
const asFile = (text: string) => new Blob([text], { type: "application/json" });
