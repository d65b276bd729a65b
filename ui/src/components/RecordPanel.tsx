import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api/client";
import { writeJson } from "../api/json";
import { useRecord } from "../api/queries";
import type { LogRecord } from "../api/types";
import { toggled } from "../lib/columns";
import { copyText } from "../lib/hooks";
import { move } from "../lib/keys";
import { addClause, clauseFor } from "../lib/query";
import { queryName, type Place } from "../lib/record";
import { localStamp } from "../lib/time";
import { traceAddress } from "../lib/trace/view";
import type { View } from "../lib/url";
import type { Rows } from "../lib/pages";
import { t } from "../strings";
import { FieldTable, type FieldActions } from "./FieldTable";
import { Icon, IconButton } from "./Icon";
import { Link } from "./Nav";
import { Surrounding } from "./Surrounding";
import { LikeThis } from "./LikeThis";
import { LongText } from "./LongText";
import { ProofSection } from "./ProofSection";

interface Props {
  id: string;
  rows: Rows;
  view: View;
  update(patch: Partial<View>): void;
  open(id: string | null): void;
}

type Tab = keyof typeof t.record.tabs;
/** Kept outside of the component: who reads surrounding lines wants them for the next record too. */
let lastTab: Tab = "fields";

function find(rows: Rows, id: string): LogRecord | undefined {
  for (let index = 0; index < rows.length; index++) {
    if (rows.idAt(index) === id) return rows.at(index);
  }
  return undefined;
}

export function RecordPanel({ id, rows, view, update, open }: Props) {
  // Held on to: the row may scroll out of what the tail keeps while it is being read.
  const [known, setKnown] = useState(() => find(rows, id));
  useEffect(() => setKnown((old) => old ?? find(rows, id)), [rows, id]);
  const fetched = useRecord(id, known);
  const record = known ?? fetched.data;
  const [tab, setTab] = useState<Tab>(lastTab);
  const choose = (next: Tab) => {
    lastTab = next;
    setTab(next);
  };
  const actions: FieldActions = {
    filter: (clause) => update({ q: addClause(view.q, clause) }),
    columns: {
      shown: view.columns,
      toggle: (name) => update(toggled(view, name)),
    },
  };
  return (
    <aside className="panel" aria-label={t.record.label}>
      <div className="panel-head">
        {record ? <Title record={record} /> : <bdi className="muted ellipsis">{fetched.error ? id : t.states.loading}</bdi>}
        <span className="panel-tools">
          <IconButton name="up" label={t.record.previous} onClick={() => move("up")} />
          <IconButton name="down" label={t.record.next} onClick={() => move("down")} />
          <CopyButton label={t.record.copyLink} icon="link" text={() => window.location.href} />
          <IconButton name="close" label={t.record.close} onClick={() => open(null)} />
        </span>
      </div>
      {fetched.error && !record && <p className="pad" role="alert">{failure(fetched.error)}</p>}
      {record && (
        <>
          <Tabs tab={tab} onChoose={choose} />
          <div className="panel-body" role="tabpanel" id="panel-body" aria-labelledby={`tab-${tab}`} tabIndex={0}>
            {tab === "fields" && <Fields record={record} actions={actions} update={update} />}
            {tab === "context" && <Surrounding record={record} open={open} />}
            {tab === "json" && <RawJson record={record} />}
          </div>
        </>
      )}
    </aside>
  );
}

function failure(error: Error): string {
  return error instanceof ApiError && error.status === 404 ? t.record.notFound : error.message;
}

function Title({ record }: { record: LogRecord }) {
  return (
    <div className="panel-title">
      <span className={`level text-${record.severity}`}>{record.severity}</span>
      <bdi className="panel-service ellipsis">{record.service}</bdi>
      <time dateTime={record.time} title={t.time.utc(record.time)}>{localStamp(BigInt(record.time_ns))}</time>
    </div>
  );
}

function Tabs({ tab, onChoose }: { tab: Tab; onChoose(tab: Tab): void }) {
  const names = Object.keys(t.record.tabs) as Tab[];
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = step && names[(names.indexOf(tab) + step + names.length) % names.length];
    if (!next) return;
    event.preventDefault();
    onChoose(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" onKeyDown={onKeyDown}>
      {names.map((name) => (
        <button
          key={name} id={`tab-${name}`} type="button" role="tab" aria-selected={tab === name} aria-controls="panel-body"
          tabIndex={tab === name ? 0 : -1} onClick={() => onChoose(name)}
        >
          {t.record.tabs[name]}
        </button>
      ))}
    </div>
  );
}

export function CopyButton({ label, text, icon = "copy" }: { label: string; text: () => string; icon?: "copy" | "link" }) {
  const [done, setDone] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    setDone(await copyText(text()));
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(false), 1500);
  };
  return (
    <button type="button" className={`icon-button ${done ? "copied" : ""}`} aria-label={label} title={done ? t.record.copied : label} onClick={() => void copy()}>
      <Icon name={icon} />
      <span className="offscreen" role="status">{done ? t.record.copied : ""}</span>
    </button>
  );
}

interface FieldsProps {
  record: LogRecord;
  actions: FieldActions;
  update(patch: Partial<View>): void;
}

function Fields({ record, actions, update }: FieldsProps) {
  const isText = typeof record.body === "string";
  const own = ([
    ["severity", record.severity],
    ["severity_text", record.severity_text || null],
    ["event_name", record.event_name || null],
    ["trace_id", record.trace_id],
    ["span_id", record.span_id],
    ["time", record.time],
    ["received", record.received],
    ["id", record.id],
  ] as [string, string | null][]).filter((pair): pair is [string, string] => pair[1] !== null);
  const { scope } = record;
  const named = (place: Place) => (name: string) => queryName(record, place, name);
  const scopePairs = [["scope.name", scope.name], ["scope.version", scope.version]].filter(([, v]) => v) as [string, string][];
  return (
    <>
      <Section title={t.record.message} tools={<CopyButton label={t.record.copy} text={() => (isText ? String(record.body) : writeJson(record.body, 2))} />}>
        <LongText className="message" text={isText ? String(record.body) : writeJson(record.body, 2)} />
      </Section>
      {record.trace_id && (
        <p className="trace buttons">
          <Link className="button" to={traceAddress(record.trace_id, record.span_id)}><Icon name="trace" /> {t.record.openTrace}</Link>
          <button type="button" className="button" onClick={() => update({ q: clauseFor("trace_id", record.trace_id) })}>
            <Icon name="filter" /> {t.record.trace}
          </button>
        </p>
      )}
      {isText && <LikeThis key={record.id} record={record} update={update} />}
      <FieldTable title={t.record.attributes} pairs={record.attributes} actions={actions} named={named("attributes")} />
      <FieldTable title={t.record.resource} pairs={record.resource} actions={actions} named={named("resource")} />
      <FieldTable title={t.record.scope} pairs={scopePairs} actions={actions} named={named("record")} />
      <FieldTable title={t.record.scopeAttributes} pairs={scope.attributes} actions={actions} named={named("scope")} />
      <FieldTable title={t.record.event} pairs={own} actions={actions} named={named("record")} fixed={["time", "received", "id"]} />
      {record.original !== null && (
        <Section title={t.record.original} tools={<CopyButton label={t.record.copy} text={() => record.original ?? ""} />}>
          <LongText className="message" text={record.original} />
        </Section>
      )}
      <ProofSection key={record.id} record={record} />
    </>
  );
}

function Section({ title, tools, children }: { title: string; tools: React.ReactNode; children: React.ReactNode }) {
  return (
    <section className="panel-section">
      <div className="section-head"><h2>{title}</h2>{tools}</div>
      {children}
    </section>
  );
}

function RawJson({ record }: { record: LogRecord }) {
  const text = writeJson(record, 2);
  return (
    <Section title={t.record.tabs.json} tools={<CopyButton label={t.record.copyJson} text={() => text} />}>
      <LongText className="message" text={text} limit={20_000} />
    </Section>
  );
}
