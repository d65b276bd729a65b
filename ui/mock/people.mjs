/** Who the mock takes the reader for, and the people, requests and trail that an administrator sees. */
const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();

const READER = ["query", "tail", "status", "sources", "list_views", "save_views"];
const ALL = [...READER, "list_users", "manage_users", "list_tokens", "manage_tokens", "list_sessions", "manage_sessions", "query_audit", "list_approvals", "approve", "review", "manage_views"];

const SESSIONS = {
  reader: { name: "local", by: "loopback", tenant: "default", roles: [], may: READER },
  engineer: { name: "eve", by: "session", tenant: "default", roles: ["engineer"], may: ["query", "tail", "status"], second_factor: { on: false, needed: false, recovery_codes: null } },
  analyst: { name: "nils", shown: "Nils Okafor", by: "session", tenant: "default", roles: ["analyst", "break-glass"], may: [...READER, "break_glass", "create_token"], break_glass: null, second_factor: { on: false, needed: false, recovery_codes: null } },
  administrator: { name: "mira", shown: "Mira Sandoval", by: "session", tenant: "default", roles: ["administrator"], may: ALL, break_glass: null, second_factor: { on: true, needed: false, recovery_codes: 8 } },
};

export function session(mock) {
  return SESSIONS[mock.session] ?? SESSIONS.reader;
}

const user = (name, shown, roles, rest = {}) => ({ user: name, shown, roles, disabled: false, created: ago(90_000), second_factor: false, has_password: true, oidc: null, ...rest });

const users = () => ({ users: [
  user("mira", "Mira Sandoval", ["administrator"], { second_factor: true }), user("nils", "Nils Okafor", ["analyst", "break-glass"]),
  user("oidc:5f2", "Aleksandra Wójcik-Brzęczyszczykiewicz", ["analyst", "auditor", "engineer"], { has_password: false, oidc: { issuer: "https://id.example", subject: "5f2" } }),
  user("old", "old", ["collector"], { disabled: true, has_password: false }),
] });

const token = (id, name, owner, roles, used) => ({ id, name, owner, roles, tenant: "default", created: ago(9000), expires: ago(-90_000), used });

const tokens = () => ({ tokens: [token("7be1", "collectors of the shop cluster in Frankfurt", "mira", ["collector"], ago(1)), token("90aa", "grafana", "nils", ["analyst"], null)] });

const sessions = () => ({ sessions: [
  { id: "s1", user: "mira", address: "127.0.0.1", created: ago(50), used: ago(0), expires: ago(-600), current: true },
  { id: "s2", user: "nils", address: "2001:db8:85a3::8a2e:370:7334", created: ago(500), used: ago(12), expires: ago(-200), current: false },
] });

const approvals = () => ({ approvals: [
  { id: "a1", hash: "h1", what: "users/nils: enabled, administrator, analyst", text: '{"act":"set_user","user":"nils","roles":["administrator","analyst"]}', requester: "oidc:5f2", about: "nils", requested: ago(20), expires: ago(-1400) },
  { id: "a2", hash: "h2", what: "retention of class audit: 400 days instead of 800", text: '{"act":"set_retention","class":"audit","days":400}', requester: "mira", about: null, requested: ago(3), expires: ago(-1437) },
] });

const glasses = () => ({ break_glass: [
  { id: "g1", user: "nils", reason: "payments are down and the masked card range is what tells which issuer", began: ago(300), ends: ago(285), active: false, overdue: false, review: null },
  { id: "g2", user: "nils", reason: "the store is on fire", began: ago(9000), ends: ago(8985), active: false, overdue: false, review: { by: "mira", note: "it did burn", at: ago(8000) } },
] });

function entry(id, minutes, rest) {
  const time = ago(minutes);
  return {
    id: `audit.${id}`, time, time_ns: `${Date.parse(time)}000000`, event: "audit.access", text: `${rest.user} asked for ${rest.action}`, user: "mira", owner: null, claimed: null, address: "127.0.0.1",
    action: null, decision: "allow", reason: null, purpose: null, object: null, query: null, outcome: "done", rows: null, bytes: null, duration_ms: 12, more: {}, ...rest,
  };
}

const UNCLEAN = entry(9, 4, { event: "audit.server.started", text: "logkeep 0.1.0 started; the server before ended without a stop", user: null, decision: null, outcome: null, more: { "server.before": "unclean" } });

function audit(params) {
  if (params.get("q") === "server.before:unclean") return { rows: [UNCLEAN], next: null };
  const asked = [
    entry(1, 0, { user: "mira", action: "query_audit", object: "audit", rows: 100, bytes: 51_200 }),
    entry(2, 1, { user: "nils", action: "query", object: "logs", query: 'service.name:payment and (severity:error or severity:fatal) and not http.route:"/healthz"', rows: 220, bytes: 90_000, duration_ms: 340 }),
    entry(3, 2, { user: "nils", action: "unmask", object: "fields/user.email", decision: "deny", reason: "no policy permits it", outcome: null }),
    entry(4, 3, { user: "token 90aa", owner: "nils", action: "tail", object: "logs", rows: 12 }),
    UNCLEAN,
  ];
  return { rows: asked, next: "more" };
}

export const PEOPLE = [
  [/^\/session$/, (mock) => session(mock)], [/^\/users$/, users], [/^\/tokens$/, tokens], [/^\/sessions$/, sessions], [/^\/approvals$/, approvals], [/^\/break-glass$/, glasses],
  [/^\/audit$/, (_, __, params) => audit(params)],
];
