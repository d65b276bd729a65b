/** What of the services is on screen, as its address says. */
import { askedParams, logsAddress, parseRange, searchText, type Asked } from "../url";
import { clauseFor } from "../query";
import { tracesAddress } from "../trace/search";
import { absoluteNs, type Range } from "../time";
import { SORTS, type Named, type Sort } from "./join";

export const SHOWS = ["table", "map", "calls"] as const;
export type Show = (typeof SHOWS)[number];

export interface ServicesView extends Asked {
  show: Show;
  sort: Sort;
  /** The other way round than one would first. */
  turned: boolean;
  /** Whose details are open: a service, or a call from `caller` to it. */
  service: string;
  caller: string;
  /** Which of the parts of the range is shown, from 1 on; 0 for all of it. */
  step: number;
}

/** Into so many parts a range is cut. */
export const STEPS = 30;

export function parseServices(search: string): ServicesView {
  const params = new URLSearchParams(search);
  const [sort, turned] = (params.get("sort") ?? "").split(".");
  return {
    q: params.get("q") ?? "", ...parseRange(params), show: SHOWS.find((show) => show === params.get("show")) ?? "table", sort: SORTS.find((one) => one === sort) ?? "requests",
    turned: turned === "turned", service: params.get("service") ?? "", caller: params.get("caller") ?? "", step: parseStep(params.get("step")),
  };
}

function parseStep(text: string | null): number {
  const step = Number(text);
  return Number.isInteger(step) && step > 0 && step <= STEPS ? step : 0;
}

/** The bounds of one part. Null for all of the range, and where its bounds are none that stay what they are. */
export function stepRange({ from, to, step }: ServicesView): { fromNs: bigint; toNs: bigint } | null {
  const [start, end] = [absoluteNs(from), absoluteNs(to)];
  if (step === 0 || start === null || end === null || end <= start) return null;
  const at = (n: number) => start + ((end - start) * BigInt(n)) / BigInt(STEPS);
  return { fromNs: at(step - 1), toNs: at(step) };
}

export function formatServices(view: ServicesView): string {
  const params = askedParams(view);
  if (view.show !== "table") params.set("show", view.show);
  if (view.sort !== "requests" || view.turned) params.set("sort", view.sort + (view.turned ? ".turned" : ""));
  if (view.service) params.set("service", view.service);
  if (view.caller) params.set("caller", view.caller);
  if (view.step > 0) params.set("step", String(view.step));
  return searchText(params);
}

export function servicesAddress(view: Partial<ServicesView>): string {
  return `/services${formatServices({ ...parseServices(""), ...view })}`;
}

export function isServicesStep(before: ServicesView, after: ServicesView): boolean {
  const step = (view: ServicesView) => formatServices({ ...view, sort: "requests", turned: false, service: view.service && "x", caller: "", step: Math.min(view.step, 1) });
  return step(before) !== step(after);
}

export function serviceLogs(name: string, { from, to }: Range): string {
  return logsAddress({ q: clauseFor("service.name", name), from, to });
}

export function serviceTraces(name: string, { from, to }: Range): string {
  return tracesAddress({ service: name, from, to });
}

/** Of both ends. */
export function edgeLogs({ caller, callee }: Named, { from, to }: Range): string {
  return logsAddress({ q: [caller, callee].map((name) => clauseFor("service.name", name)).join(" or "), from, to });
}

/** By which a caller says whom it calls, where that one sends no spans of its own. */
const PEERS = ["peer.service", "server.address", "net.peer.name", "messaging.destination.name"];

export function edgeTraces({ caller, callee, traced }: Named, { from, to }: Range): string {
  if (traced) return tracesAddress({ service: callee, through: caller, from, to });
  return tracesAddress({ service: caller, q: PEERS.map((peer) => clauseFor(peer, callee)).join(" or "), from, to });
}
