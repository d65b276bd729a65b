/** Services and who calls whom as one picture: what the two answers say of each, and what is newest of their errors. */
import { MTLS_STATES, type Edge, type LogRecord, type MtlsState, type Service, type Span } from "../../api/types";

export interface NewestError {
  timeNs: bigint;
  text: string;
  record: LogRecord | null;
  span: Span | null;
}

export interface Row {
  name: string;
  /** Null for whom only callers speak of. */
  stats: Service | null;
  callers: Edge[];
  callees: Edge[];
  mtls: MtlsState | null;
  /** The one that it is in; null for whom no proxy speaks of. */
  mesh: string | null;
  newest: NewestError | null;
}

/** An edge with both ends. */
export type Named = Edge & { callee: string };

export function named(edges: readonly Edge[]): Named[] {
  return edges.filter((edge): edge is Named => edge.callee !== null);
}

/** A row for every service, and for everything that one is said to have called. */
export function join(services: readonly Service[], edges: readonly Edge[], newest: ReadonlyMap<string, NewestError>): Row[] {
  const rows = new Map<string, Row>();
  const row = (name: string) => {
    let known = rows.get(name);
    if (!known) rows.set(name, (known = { name, stats: null, callers: [], callees: [], mtls: null, mesh: null, newest: newest.get(name) ?? null }));
    return known;
  };
  for (const stats of services) row(stats.service).stats = stats;
  for (const edge of edges) {
    row(edge.caller).callees.push(edge);
    if (edge.callee !== null) row(edge.callee).callers.push(edge);
  }
  const meshes = meshesOf(edges);
  for (const one of rows.values()) {
    one.mtls = weakest(one.callers);
    one.mesh = meshes.get(one.name) ?? null;
  }
  return [...rows.values()];
}

/** In which mesh each service is: the one whose proxies wrote of most of its calls, on its own side. */
export function meshesOf(edges: readonly Edge[]): Map<string, string> {
  const calls = new Map<string, Map<string, number>>();
  const count = (name: string | null, mesh: string | null, more: number) => {
    if (name === null || mesh === null) return;
    const own = calls.get(name) ?? new Map<string, number>();
    calls.set(name, own.set(mesh, (own.get(mesh) ?? 0) + more));
  };
  for (const edge of edges) {
    count(edge.caller, edge.mesh.caller, edge.calls);
    count(edge.callee, edge.mesh.callee, edge.calls);
  }
  return new Map([...calls].map(([name, own]) => [name, [...own].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))[0]![0]]));
}

/** Whether a call leaves the mesh that its caller is in, or comes into one. */
export function crosses(meshes: ReadonlyMap<string, string>, { caller, callee }: Pick<Edge, "caller" | "callee">): boolean {
  return callee !== null && meshes.get(caller) !== meshes.get(callee);
}

/** What the weakest of the calls shows: one in the clear is enough. */
export function weakest(edges: readonly Edge[]): MtlsState | null {
  const found = edges.flatMap(({ mtls }) => (mtls ? [MTLS_STATES.indexOf(mtls.state)] : []));
  return found.length === 0 ? null : (MTLS_STATES[Math.max(...found)] ?? null);
}

export function newestErrors(logs: readonly LogRecord[], spans: readonly Span[]): Map<string, NewestError> {
  const found = new Map<string, NewestError>();
  const offer = (service: string, error: NewestError) => {
    const known = found.get(service);
    if (!known || error.timeNs > known.timeNs) found.set(service, error);
  };
  for (const span of spans) offer(span.service, { timeNs: BigInt(span.time_ns), text: span.status_message || span.name, record: null, span });
  for (const record of logs) {
    offer(record.service, { timeNs: BigInt(record.time_ns), text: typeof record.body === "string" ? record.body : record.event_name || JSON.stringify(record.body ?? "", big), record, span: null });
  }
  return found;
}

function big(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

export const SORTS = ["name", "requests", "errors", "p50", "p95", "p99", "mtls", "mesh", "newest"] as const;
export type Sort = (typeof SORTS)[number];

/** What a row is sorted by; null comes last whichever way. */
function value(row: Row, by: Sort): number | string | null {
  switch (by) {
    case "name": return row.name;
    case "requests": return row.stats?.requests ?? null;
    case "errors": return row.stats?.error_ratio ?? null;
    case "mtls": return row.mtls === null ? null : MTLS_STATES.indexOf(row.mtls);
    case "mesh": return row.mesh;
    case "newest": return row.newest === null ? null : Number(row.newest.timeNs / 1_000_000n);
    default: return row.stats?.duration_ms[by] ?? null;
  }
}

/** Which begins with A, and not with the most. */
export function isText(by: Sort): boolean {
  return by === "name" || by === "mesh";
}

export function sorted(rows: readonly Row[], by: Sort, turned: boolean): Row[] {
  const sign = isText(by) === turned ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a, by), value(b, by)];
    if (left === null || right === null) return left === right ? a.name.localeCompare(b.name) : left === null ? 1 : -1;
    const order = typeof left === "string" ? left.localeCompare(String(right)) : Number(left) - Number(right);
    return sign * order || a.name.localeCompare(b.name);
  });
}

/** So many are drawn, of those with most calls; more would be a knot. */
export const DRAWN = { nodes: 60, edges: 200 };

export function busiest(edges: readonly Named[], rows: readonly Row[]): { names: string[]; edges: Named[] } {
  const names = new Set<string>();
  const kept: Named[] = [];
  for (const edge of [...edges].sort((a, b) => b.calls - a.calls)) {
    const fresh = [edge.caller, edge.callee].filter((name, at, both) => !names.has(name) && both.indexOf(name) === at);
    if (kept.length >= DRAWN.edges || names.size + fresh.length > DRAWN.nodes) continue;
    fresh.forEach((name) => names.add(name));
    kept.push(edge);
  }
  for (const { name, stats } of rows) if (stats && names.size < DRAWN.nodes) names.add(name);
  return { names: [...names], edges: kept };
}
