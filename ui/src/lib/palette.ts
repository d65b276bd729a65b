/** What the palette offers: one list of commands, of which those are shown whose words begin or have what is typed. Nothing here draws. */
import type { SavedView, Session } from "../api/types";
import { t, type KeyRow } from "../strings";
import { serviceErrors, waysOfService } from "./overview";
import { VIEW_NAMES, pagesOfPeople } from "./pageNames";
import { isOwnPage, pageOf } from "./savedViews";
import { DEFAULT_RANGE, QUICK_RANGES, type Range } from "./time";
import { traceIdIn } from "./trace/compare";
import { traceAddress } from "./trace/view";
import { PATHS, VIEWS, logsAddress, parseRange, searchText, viewAddress } from "./url";

const OPEN = "logkeep:palette";

export function openPalette(): void {
  document.dispatchEvent(new Event(OPEN));
}

/** Whenever a button asks for it. */
export function onPalette(open: () => void): () => void {
  document.addEventListener(OPEN, open);
  return () => document.removeEventListener(OPEN, open);
}

export type Section = "ids" | "pages" | "here" | "services" | "views" | "times" | "console" | "search";

export interface Command {
  /** What no other command has. */
  id: string;
  section: Section;
  label: string;
  /** What is said beside the label; it is looked through, too. */
  note?: string;
  /** The key that does the same without the palette. */
  keys?: string;
  /** Where it leads, or else what it does. */
  to?: string;
  run?(): void;
}

/** What a page says of one of its keys. */
export interface PageCommand {
  key: string;
  meaning: string;
  run(): void;
}

/** So many are shown; who does not see theirs types on. */
export const MOST = 60;
/** Of services and saved views as long as nothing is typed. */
const UNASKED = 6;

/** Keys that only make sense while one looks at what they move. */
const MOVES: readonly string[] = ["j", "k"];

/** The commands of a page, from its list of keys: a row of several keys has as many meanings, or is none. */
export function commandsOfRows(rows: readonly KeyRow[], actions: { [key: string]: () => void }): PageCommand[] {
  return rows.flatMap(([text, meaning]) => {
    const keys = text.split(/\s+/);
    const meanings = keys.length === 1 ? [meaning] : meaning.split(", ");
    if (meanings.length !== keys.length) return [];
    return keys.flatMap((key, at) => {
      const run = actions[key];
      return run && !MOVES.includes(key) ? [{ key, meaning: meanings[at]!, run }] : [];
    });
  });
}

export function pageCommands(commands: readonly PageCommand[]): Command[] {
  return commands.map(({ key, meaning, run }) => ({ id: `here ${key}`, section: "here", label: capital(meaning), keys: key, run }));
}

export function pages(session: Session | undefined): Command[] {
  const views: Command[] = PATHS.map((path) => ({ id: `page ${path}`, section: "pages", label: VIEW_NAMES[path], keys: VIEWS[path], to: viewAddress(path) }));
  return [...views, ...pagesOfPeople(session).map(([path, name]): Command => ({ id: `page ${path}`, section: "pages", label: name, to: path }))];
}

/** To the logs first, and to the others once one has typed some of the name. */
export function services(names: readonly string[], range: Range, isAsked: boolean): Command[] {
  const shown = isAsked ? names : names.slice(0, UNASKED);
  return shown.flatMap((service) => {
    const [logs, ...others] = waysOfService({ service }, range);
    const ways = isAsked ? [logs!, { target: "errors" as const, to: serviceErrors(service, range) }, ...others] : [logs!];
    return ways.map(({ target, to }): Command => ({ id: `service ${target} ${service}`, section: "services", label: service, note: t.palette.ways[target], to }));
  });
}

export function savedViews(views: readonly SavedView[], isAsked: boolean): Command[] {
  const own = views.filter(({ address }) => isOwnPage(address));
  return (isAsked ? own : own.slice(0, UNASKED)).map(({ id, name, description, address }) => (
    { id: `view ${id}`, section: "views", label: name, note: [pageOf(address), description].filter((text) => text !== "").join(" · "), to: address }
  ));
}

/** Pages of a range whose address has it. */
const RANGED: readonly string[] = [...PATHS, "/overview", "/compare"];

/** The page that one is on, over another time. */
export function times({ pathname, search }: { pathname: string; search: string }): Command[] {
  if (!RANGED.includes(pathname)) return [];
  return QUICK_RANGES.map((from) => {
    const params = new URLSearchParams(search);
    params.delete("to");
    if (from === DEFAULT_RANGE.from) params.delete("from");
    else params.set("from", from);
    const text = searchText(params);
    return { id: `time ${from}`, section: "times", label: t.time.last(from), to: pathname === "/" && text !== "" ? `/overview${text}` : pathname + text };
  });
}

const TRACE_ID = /^(?:[0-9a-f]{32}|[0-9a-f]{16})$/;
const RECORD_ID = /^[a-z][a-z0-9_-]*\.\d{1,20}\.\d{1,10}$/;

/** What is typed is an id, or an address of the console with one. */
export function ids(text: string, range: Range): Command[] {
  const trace = traceIdIn(text);
  if (trace !== null && (TRACE_ID.test(trace) || text.includes("/traces/"))) {
    return [{ id: "trace", section: "ids", label: t.palette.openTrace, note: trace, to: traceAddress(trace) }];
  }
  const record = text.trim();
  return RECORD_ID.test(record) ? [{ id: "record", section: "ids", label: t.palette.openRecord, note: record, to: logsAddress({ q: "", ...range, record }) }] : [];
}

/** What is typed is looked for. */
export function searches(text: string, range: Range): Command[] {
  const q = text.trim();
  return q === "" ? [] : [{ id: "search", section: "search", label: t.palette.searchLogs, note: q, to: logsAddress({ q, ...range }) }];
}

export function rangeHere(): Range {
  return parseRange(new URLSearchParams(window.location.search));
}

export interface Shown {
  section: Section;
  commands: Command[];
}

const SECTIONS: readonly Section[] = ["ids", "pages", "here", "services", "views", "times", "console", "search"];

/** Those that have every word that is typed, the best of each section first, and the section with the best one first. */
export function matching(commands: readonly Command[], text: string): Shown[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const found = commands.flatMap((command, at) => {
    const score = scoreOf(command, words);
    return score === null ? [] : [{ command, score, at }];
  });
  found.sort((a, b) => a.score - b.score || a.at - b.at);
  const isSearch = ({ command }: (typeof found)[number]) => command.section === "search";
  const best = [...found.filter((one) => !isSearch(one)).slice(0, MOST), ...found.filter(isSearch)];
  const sections = SECTIONS.map((section) => best.filter(({ command }) => command.section === section)).filter((of) => of.length > 0);
  if (words.length > 0) sections.sort((a, b) => a[0]!.score - b[0]!.score);
  return sections.map((of) => ({ section: of[0]!.command.section, commands: of.map(({ command }) => command) }));
}

/** Less is better; null where a word is missing. */
function scoreOf({ section, label, note = "" }: Command, words: readonly string[]): number | null {
  // An id can mean nothing else; a search is what is left where nothing has the name.
  if (section === "ids") return -1;
  if (section === "search") return words.length * INSIDE + 1;
  let score = 0;
  for (const word of words) {
    const place = placeOf(label.toLowerCase(), word) ?? placeOf(note.toLowerCase(), word, IN_NOTE);
    if (place === null) return null;
    score += place;
  }
  return score;
}

const INSIDE = 3;
const IN_NOTE = 1;

/** At its beginning, at the beginning of a word of it, or anywhere else. */
function placeOf(text: string, word: string, least = 0): number | null {
  const at = text.indexOf(word);
  if (at < 0) return null;
  if (at === 0) return least;
  const isWordStart = text.split(/[^\p{L}\p{N}]+/u).some((part) => part.startsWith(word));
  return Math.max(least, isWordStart ? 1 : INSIDE);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
