/** Views that were saved, in memory. */
import { HttpError } from "./answers.mjs";

const PAGE = /^\/(?:overview|logs|patterns|compare|traces(?:\/[A-Za-z0-9/-]+)?|services|sources|sql)?(?:\?[!$-;=?-[\]^_a-z{|}~&%]*)?$/;
const now = () => new Date().toISOString();
const none = (id) => new HttpError(404, { code: "not_found", message: `there is no view \`${id}\`` });

const SEEDED = [
  { id: "v1", name: "Errors of payment", description: "What the on-call looks at first.", address: "/logs?q=service.name%3Apayment+and+severity%3Aerror&col=http.response.status_code", owner: "nils" },
  { id: "v2", name: "<b>Rollout</b> of v2 against the time before, of all services of the shop in Frankfurt", description: "", address: "/compare?q=k8s.namespace.name%3Ashop", owner: "mira" },
];

/** The answer to one request about them, by whom the mock takes the reader for. */
export function views(mock, path, method, who, wanted) {
  mock.views ??= SEEDED.map((view) => ({ ...view, created: now(), changed: now() }));
  const id = /^\/views\/(.+)$/.exec(path)?.[1];
  if (method === "GET") return { views: [...mock.views].sort((a, b) => (a.name < b.name ? -1 : 1)).map((view) => ({ ...view, own: view.owner === who.name })) };
  const known = mock.views.find((view) => view.id === id);
  if (method !== "POST" && !known) throw none(id);
  const may = known && known.owner !== who.name ? "manage_views" : "save_views";
  if (!who.may.includes(may)) throw new HttpError(403, { code: "forbidden", message: "no policy permits it" });
  if (method === "DELETE") {
    mock.views = mock.views.filter((view) => view !== known);
    return {};
  }
  if (!PAGE.test(wanted.address)) throw new HttpError(400, { code: "bad_request", message: "`address` is no page of the console" });
  if (mock.views.some((view) => view !== known && view.name === wanted.name)) throw new HttpError(409, { code: "conflict", message: `the view \`${wanted.name}\` exists already` });
  if (known) return void Object.assign(known, wanted, { changed: now() }) ?? {};
  mock.views.push({ id: `v${Date.now()}`, description: "", ...wanted, owner: who.name, created: now(), changed: now() });
  return { id: mock.views.at(-1).id };
}
