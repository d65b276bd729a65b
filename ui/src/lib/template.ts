/** Message templates as text (docs/decisions/0025-patterns.md): what of one is constant, and what varies. Nothing here draws. */

/** What may stand in a place, as a template's text writes it. */
export const KINDS = ["var", "num", "hex", "id", "uuid", "ip", "mac", "time", "str", "path", "url", "email", "list", "*", "..."] as const;
export type Kind = (typeof KINDS)[number];

export interface Part {
  text: string;
  /** Null for what is the same in every record. */
  kind: Kind | null;
}

const MARK = /(\\*)<(var|num|hex|id|uuid|ip|mac|time|str|path|url|email|list|\*|\.\.\.)>/g;

/** An odd number of backslashes says that the line itself has the mark; all of them are written twice. */
export function parts(template: string): Part[] {
  const found: Part[] = [];
  let constant = "";
  let at = 0;
  const push = () => {
    if (constant !== "") found.push({ text: constant, kind: null });
    constant = "";
  };
  for (const mark of template.matchAll(MARK)) {
    const [whole, slashes = "", kind = ""] = mark;
    constant += template.slice(at, mark.index) + "\\".repeat(slashes.length >> 1);
    at = mark.index + whole.length;
    if (slashes.length % 2 === 1) constant += `<${kind}>`;
    else {
      push();
      found.push({ text: `<${kind}>`, kind: kind as Kind });
    }
  }
  constant += template.slice(at);
  push();
  return found;
}

export interface Place {
  before: string;
  after: string;
}

const NEAR = 24;

/** What stands around each variable, so that one can tell them apart. What follows at the end is none. */
export function surroundings(template: string): Place[] {
  const all = parts(template);
  const near = (at: number) => (all[at]?.kind === null ? all[at].text : "");
  return all.flatMap(({ kind }, at) => (kind === null || kind === "..." ? [] : [{ before: end(near(at - 1)), after: start(near(at + 1)) }]));
}

function start(text: string): string {
  return text.length <= NEAR ? text : `${text.slice(0, NEAR)}…`;
}

function end(text: string): string {
  return text.length <= NEAR ? text : `…${text.slice(-NEAR)}`;
}

export function kindOf(mark: string): Kind | null {
  return KINDS.find((kind) => mark === `<${kind}>`) ?? null;
}

/** As the server tells ids from texts. */
export function isTemplateId(asked: string): boolean {
  return /^[0-9a-f]{16}$/i.test(asked);
}

/** How many characters of a line a template accounts for; -1 if the line has not all of its constants in their order. */
export function likeness(template: string, line: string): number {
  const text = line.replace(/\s+/g, " ");
  let [at, same] = [0, 0];
  for (const { text: piece, kind } of parts(template)) {
    const constant = piece.trim();
    if (kind !== null || constant === "") continue;
    const found = text.indexOf(constant, at);
    if (found < 0) return -1;
    at = found + constant.length;
    same += constant.length;
  }
  return same;
}
