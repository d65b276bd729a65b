import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError } from "../api/client";
import { t } from "../strings";

interface Attempt {
  busy: boolean;
  fault: string | null;
}

/** One thing that is tried at a time, and what the server says against it. */
export function useAttempt<T>(done: (result: T) => void, failed?: (error: unknown) => boolean) {
  const [attempt, setAttempt] = useState<Attempt>({ busy: false, fault: null });
  const run = (work: () => Promise<T>) => {
    setAttempt({ busy: true, fault: null });
    work().then(
      (result) => {
        setAttempt({ busy: false, fault: null });
        done(result);
      },
      (error: unknown) => setAttempt({ busy: false, fault: failed?.(error) ? null : sentence(error) }),
    );
  };
  return [attempt, run] as const;
}

function sentence(error: unknown): string {
  if (!(error instanceof ApiError)) return t.states.awayText;
  return error.body.code === "unauthenticated" ? t.signIn.wrong : error.message;
}

export function Fault({ text }: { text: string | null }) {
  return text && <p className="text-error" role="alert">{text}</p>;
}

/** What a form says, and by which of its buttons it was sent. */
export interface Sent {
  text(name: string): string;
  all(name: string): string[];
  by: string;
}

interface FormProps {
  label?: string;
  send(sent: Sent): void;
  children: ReactNode;
}

export function Form({ label, send, children }: FormProps) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const strings = (name: string) => form.getAll(name).filter((value) => typeof value === "string");
    const button = (event.nativeEvent as SubmitEvent).submitter;
    send({ text: (name) => strings(name)[0] ?? "", all: strings, by: button?.getAttribute("value") ?? "" });
  };
  return <form className="form" aria-label={label} onSubmit={submit}>{children}</form>;
}

interface FieldProps {
  name: string;
  label: string;
  complete?: string;
  hint?: string;
  kind?: "text" | "password" | "number";
  focus?: boolean;
  initial?: string;
  most?: number;
  optional?: boolean;
}

export function Field({ name, label, complete = "off", hint, kind = "text", focus = false, initial, most, optional = false }: FieldProps) {
  const hintId = hint === undefined ? undefined : `${name}-hint`;
  return (
    <label className="form-field">
      <span>{label}</span>
      <input
        name={name} type={kind} autoComplete={complete} autoFocus={focus} required={!optional} defaultValue={initial}
        autoCapitalize="none" spellCheck={false} aria-describedby={hintId} {...(kind === "number" ? { min: 1, max: most } : {})}
      />
      {hint && <span className="muted" id={hintId}>{hint}</span>}
    </label>
  );
}

/** One of these: each by what it is sent as, and what it is called. */
export function Choice({ name, label, choices, initial }: { name: string; label: string; choices: [string, string][]; initial?: string }) {
  return (
    <label className="form-field">
      <span>{label}</span>
      <select name={name} defaultValue={initial}>
        {choices.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
    </label>
  );
}

/** Any number of these. */
export function Choices({ name, label, choices, chosen = [] }: { name: string; label: string; choices: string[]; chosen?: string[] }) {
  return (
    <fieldset className="choices">
      <legend>{label}</legend>
      {choices.map((choice) => (
        <label key={choice}>
          <input type="checkbox" name={name} value={choice} defaultChecked={chosen.includes(choice)} /> {choice}
        </label>
      ))}
    </fieldset>
  );
}

/** A button for what cannot be undone: it asks once more. */
export function Sure({ label, sure, disabled = false, act }: { label: string; sure: string; disabled?: boolean; act(): void }) {
  const [asked, setAsked] = useState(false);
  const click = () => {
    setAsked(!asked);
    if (asked) act();
  };
  return (
    <button type="button" className="button" disabled={disabled} onClick={click} onBlur={() => setAsked(false)}>
      {asked ? sure : label}
    </button>
  );
}
