/**
 * The one place that calls the server. Every failure becomes one of two errors, because the screen treats them
 * differently: the server said no (`ApiError`), or it did not answer (`UnreachableError`).
 */
import type { PendingProof, ProofFile } from "../lib/proof";
import { parseJson } from "./json";
import type {
  Approval,
  AuditAnswer,
  CompareAnswer,
  ContextAnswer,
  Done,
  Enrolment,
  ErrorAnswer,
  ErrorBody,
  FieldsAnswer,
  Glass,
  GraphAnswer,
  HistogramAnswer,
  LogPage,
  LogRecord,
  NewToken,
  OverviewAnswer,
  OwnSession,
  PatternsAnswer,
  ServicesAnswer,
  Session,
  SavedView,
  SourcesAnswer,
  SpanPage,
  SqlAnswer,
  Status,
  Token,
  TraceAnswer,
  User,
  ValuesAnswer,
  VariablesAnswer,
} from "./types";

const BASE = "/api/v1";

export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;

  /** What stands beside the error. */
  readonly answer: ErrorAnswer;

  constructor(status: number, body: ErrorBody, answer: ErrorAnswer = {}) {
    super(body.message);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
    this.answer = answer;
  }
}

export class UnreachableError extends Error {
  constructor() {
    super("the server did not answer");
    this.name = "UnreachableError";
  }
}

type Params = { [name: string]: string | number | undefined };

export function url(path: string, params: Params = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `${BASE}${path}${text ? `?${text}` : ""}`;
}

async function get<T>(path: string, params: Params, signal?: AbortSignal): Promise<T> {
  return parseJson<T>(await getText(path, params, signal));
}

/** The text of an answer as the server wrote it. */
function getText(path: string, params: Params, signal?: AbortSignal): Promise<string> {
  return ask(url(path, params), { signal: signal ?? null, headers: { accept: "application/json" } });
}

function send<T>(method: "POST" | "PUT" | "DELETE", path: string, body: object): Promise<T> {
  return call<T>(url(path), { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

async function call<T>(address: string, request: RequestInit): Promise<T> {
  return parseJson<T>(await ask(address, request));
}

async function ask(address: string, request: RequestInit): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(address, request);
    text = await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new UnreachableError();
  }
  if (!response.ok) throw asError(response.status, text);
  return text;
}

/** A gateway's error page is no error form: it means that the server behind it is away. */
export function asError(status: number, text: string): Error {
  try {
    const parsed = JSON.parse(text) as ErrorAnswer & { error?: ErrorBody };
    if (parsed.error && typeof parsed.error.message === "string") return new ApiError(status, parsed.error, parsed);
  } catch {
    // Not JSON: falls through to what the status alone says.
  }
  if (status >= 502 && status <= 504) return new UnreachableError();
  return new ApiError(status, { code: String(status), message: text.slice(0, 300) || `status ${status}` });
}

export interface Password {
  user: string;
  password: string;
}

interface Both {
  password: string;
  code: string;
}

export interface Window {
  q: string;
  from: string;
  to: string;
  /** The id or the text of a template, of records of logs. */
  template?: string;
}

interface Page {
  limit: number;
  order: string;
  after?: string | undefined;
}

type ViewText = Pick<SavedView, "name" | "description" | "address">;

/** What of the audit trail is to be shown. */
export type AuditAsked = { [name in "user" | "action" | "decision" | "object" | "from"]: string };

export const api = {
  logs: (window: Window, page: Page, signal?: AbortSignal) => get<LogPage>("/logs", { ...window, ...page }, signal),
  logsText: (window: Window, page: Page, signal?: AbortSignal) => getText("/logs", { ...window, ...page }, signal),
  record: (id: string, signal?: AbortSignal) => get<LogRecord>(`/logs/${encodeURIComponent(id)}`, {}, signal),
  proof: async (id: string, signal?: AbortSignal) => {
    const text = await getText(`/logs/${encodeURIComponent(id)}/proof`, {}, signal);
    return { text, file: parseJson<ProofFile | PendingProof>(text) };
  },
  context: (id: string, before: number, after: number, signal?: AbortSignal) =>
    get<ContextAnswer>(`/logs/${encodeURIComponent(id)}/context`, { before, after }, signal),
  histogram: (window: Window, asked: { buckets: number; by?: string; top?: number }, signal?: AbortSignal) =>
    get<HistogramAnswer>("/histogram", { ...window, ...asked }, signal),
  fields: (window: Window, signal?: AbortSignal) => get<FieldsAnswer>("/fields", { ...window }, signal),
  compare: (window: Window, asked: { with: "before" | "rest"; limit: number; values: number }, signal?: AbortSignal) =>
    get<CompareAnswer>("/compare", { ...window, ...asked }, signal),
  values: (name: string, window: Window, limit: number, signal?: AbortSignal) =>
    get<ValuesAnswer>(`/fields/${encodeURIComponent(name)}/values`, { ...window, limit }, signal),
  spans: (window: Window, page: { limit: number; after?: string | undefined }, signal?: AbortSignal) =>
    get<SpanPage>("/spans", { ...window, ...page }, signal),
  overview: (range: { from: string; to: string }, limit: number, signal?: AbortSignal) => get<OverviewAnswer>("/overview", { ...range, limit }, signal),
  patterns: (window: Window, asked: { limit: number; buckets: number; compare?: "true"; show?: "new" | "gone" }, signal?: AbortSignal) =>
    get<PatternsAnswer>("/patterns", { ...window, ...asked }, signal),
  variables: (window: Window & { template: string }, limit: number, signal?: AbortSignal) =>
    get<VariablesAnswer>("/patterns/parameters", { ...window, limit }, signal),
  services: (window: Window, limit: number, signal?: AbortSignal) => get<ServicesAnswer>("/services", { ...window, limit }, signal),
  sources: (range: { from: string; to: string }, lines: { series?: string; limit: number }, signal?: AbortSignal) =>
    get<SourcesAnswer>("/sources", { ...range, ...lines }, signal),
  graph: (window: Window, limit: number, signal?: AbortSignal) => get<GraphAnswer>("/graph", { ...window, limit }, signal),
  trace: (id: string, limits: { spans: number; logs: number }, signal?: AbortSignal) =>
    get<TraceAnswer>(`/traces/${encodeURIComponent(id)}`, limits, signal),
  spanHistogram: (window: Window, buckets: number, signal?: AbortSignal) =>
    get<HistogramAnswer>("/histogram", { ...window, buckets, dataset: "spans" }, signal),
  spanFields: (window: Window, signal?: AbortSignal) => get<FieldsAnswer>("/fields", { ...window, dataset: "spans" }, signal),
  spanValues: (name: string, window: Window, limit: number, signal?: AbortSignal) =>
    get<ValuesAnswer>(`/fields/${encodeURIComponent(name)}/values`, { ...window, limit, dataset: "spans" }, signal),
  sql: (sql: string, signal?: AbortSignal) =>
    call<SqlAnswer>(url("/sql"), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ sql }), signal: signal ?? null }),
  status: (signal?: AbortSignal) => get<Status>("/status", {}, signal),
  session: (signal?: AbortSignal) => get<Session>("/session", {}, signal),
  signIn: (body: { link: string } | (Password & { code?: string })) => send<unknown>("POST", "/session", body),
  setUp: (body: { link: string; user: string; password: string }) => send<unknown>("POST", "/setup", body),
  signOut: () => send<unknown>("DELETE", "/session", {}),
  changePassword: (body: { old: string; new: string }) => send<unknown>("PUT", "/password", body),
  beginSecondFactor: (password: string) => send<Enrolment>("POST", "/second-factor", { password }),
  confirmSecondFactor: (code: string) => send<{ recovery_codes: string[] }>("PUT", "/second-factor", { code }),
  renewRecoveryCodes: (shown: Both) => send<{ recovery_codes: string[] }>("POST", "/second-factor/recovery", shown),
  endSecondFactor: (shown: Both) => send<{ recovery_codes?: string[] }>("DELETE", "/second-factor", shown),
  sessions: (signal?: AbortSignal) => get<{ sessions: OwnSession[] }>("/sessions", {}, signal),
  endSession: (id: string) => send<unknown>("DELETE", `/sessions/${encodeURIComponent(id)}`, {}),
  tokens: (signal?: AbortSignal) => get<{ tokens: Token[] }>("/tokens", {}, signal),
  addToken: (body: { name: string; roles: string[]; days: number }) => send<NewToken>("POST", "/tokens", body),
  endToken: (id: string) => send<unknown>("DELETE", `/tokens/${encodeURIComponent(id)}`, {}),
  choosePassword: (body: { link: string; password: string }) => send<unknown>("POST", "/password", body),
  audit: (asked: AuditAsked, page: { limit: number; after: string | undefined }, signal?: AbortSignal) =>
    get<AuditAnswer>("/audit", { ...asked, ...page }, signal),
  uncleanStarts: (range: { from: string; to: string }, limit: number, signal?: AbortSignal) =>
    get<AuditAnswer>("/audit", { ...range, q: "server.before:unclean", limit }, signal),
  users: (signal?: AbortSignal) => get<{ users: User[] }>("/users", {}, signal),
  addUser: (body: { user: string; roles: string[] }) => send<Done>("POST", "/users", body),
  setUser: (user: string, body: { roles: string[]; disabled: boolean }) => send<Done>("PUT", `/users/${encodeURIComponent(user)}`, body),
  addLink: (user: string) => send<Done>("POST", `/users/${encodeURIComponent(user)}/link`, {}),
  resetSecondFactor: (user: string) => send<Done>("DELETE", `/users/${encodeURIComponent(user)}/second-factor`, {}),
  views: (signal?: AbortSignal) => get<{ views: SavedView[] }>("/views", {}, signal),
  saveView: (view: ViewText) => send<{ id: string }>("POST", "/views", view),
  changeView: (id: string, view: ViewText) => send<unknown>("PUT", `/views/${encodeURIComponent(id)}`, view),
  deleteView: (id: string) => send<unknown>("DELETE", `/views/${encodeURIComponent(id)}`, {}),
  approvals: (signal?: AbortSignal) => get<{ approvals: Approval[] }>("/approvals", {}, signal),
  decide: ({ id, hash }: Approval, decision: "approve" | "refuse") => send<Done>("POST", `/approvals/${encodeURIComponent(id)}`, { hash, decision }),
  glasses: (signal?: AbortSignal) => get<{ break_glass: Glass[] }>("/break-glass", {}, signal),
  breakGlass: (body: { reason: string; minutes: number }) => send<unknown>("POST", "/break-glass", body),
  endGlass: () => send<unknown>("DELETE", "/break-glass", {}),
  review: (id: string, note: string) => send<unknown>("POST", `/break-glass/${encodeURIComponent(id)}/review`, { note }),
  tailUrl: (q: string) => url("/tail", { q }),
};
