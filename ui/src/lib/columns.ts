/**
 * The columns that a reader has chosen for the list of logs. Beside them there are always time, severity, service and message;
 * of these only the service has a width that can be changed.
 */
import type { Json } from "../api/types";

export const MAX_COLUMNS = 12;
export const LEAST_PX = 48;
export const MOST_PX = 900;
/** The column of services among the widths, which is always there. */
export const SERVICE = "service";

const TIME_PX = 154;
const SEVERITY_PX = 48;
const SERVICE_PX = 150;
const BODY_PX = 160;
const CHOSEN_PX = [110, 180] as const;
/** Between two columns, and beside the first and the last. */
const GAP_PX = 12;
const SIDES_PX = 25;

/** Pixels by the name of a column, of those that were given another width than the usual. */
export type Widths = { readonly [name: string]: number };

export interface Columns {
  columns: string[];
  widths: Widths;
}

export function clampWidth(px: number): number {
  return Math.round(Math.min(MOST_PX, Math.max(LEAST_PX, px)));
}

/** Of those that are there, and nothing else. */
function kept(widths: Widths, columns: readonly string[]): Widths {
  return Object.fromEntries(Object.entries(widths).filter(([name]) => name === SERVICE || columns.includes(name)));
}

/** In, at the end, or out if it is there. One more than there may be changes nothing. */
export function toggled({ columns, widths }: Columns, name: string): Columns {
  if (!columns.includes(name)) return { columns: columns.length < MAX_COLUMNS ? [...columns, name] : columns, widths };
  const rest = columns.filter((column) => column !== name);
  return { columns: rest, widths: kept(widths, rest) };
}

export function isFull({ columns }: { columns: readonly string[] }): boolean {
  return columns.length >= MAX_COLUMNS;
}

/** The column at the place `to`, as far as there is one. */
export function moved(columns: readonly string[], name: string, to: number): string[] {
  const rest = columns.filter((column) => column !== name);
  if (rest.length === columns.length) return rest;
  const place = Math.min(rest.length, Math.max(0, to));
  return [...rest.slice(0, place), name, ...rest.slice(place)];
}

export function withWidth(widths: Widths, name: string, px: number | null): Widths {
  const { [name]: _, ...rest } = widths;
  return px === null ? rest : { ...rest, [name]: clampWidth(px) };
}

/** What a column is wide, or may be at most where nobody has said. */
export function widthOf(widths: Widths, name: string): number {
  return chosenWidth(widths, name) ?? (name === SERVICE ? SERVICE_PX : CHOSEN_PX[1]);
}

/** A name may be that of something that every object has. */
function chosenWidth(widths: Widths, name: string): number | undefined {
  return Object.hasOwn(widths, name) ? widths[name] : undefined;
}

/** As `PIXELS:NAME`, so that a name may hold anything. */
export function widthText(name: string, px: number): string {
  return `${px}:${name}`;
}

export function parseWidths(texts: readonly string[], columns: readonly string[]): Widths {
  const found = texts.flatMap((text) => {
    const [, px, name] = /^(\d{1,4}):(.+)$/s.exec(text) ?? [];
    return px && name ? [[name, clampWidth(Number(px))] as const] : [];
  });
  return kept(Object.fromEntries(found), columns);
}

/** What a row is made of, as a grid of CSS. */
export function template({ columns, widths }: Columns): string {
  const chosen = columns.map((name) => {
    const px = chosenWidth(widths, name);
    return px === undefined ? `minmax(${CHOSEN_PX[0]}px, ${CHOSEN_PX[1]}px)` : `${px}px`;
  });
  return [`${TIME_PX}px ${SEVERITY_PX}px ${widthOf(widths, SERVICE)}px`, ...chosen, `minmax(${BODY_PX}px, 1fr)`].join(" ");
}

/** Below which a row is no narrower: it is scrolled sideways. */
export function leastWidth({ columns, widths }: Columns): number {
  const chosen = columns.reduce((sum, name) => sum + (chosenWidth(widths, name) ?? CHOSEN_PX[0]), 0);
  const fixed = TIME_PX + SEVERITY_PX + widthOf(widths, SERVICE) + BODY_PX;
  return fixed + chosen + GAP_PX * (columns.length + 3) + SIDES_PX;
}

/** Before which of the columns something is dropped that is let go at `x`; each is given by its left and right edge. */
export function dropPlace(edges: readonly (readonly [number, number])[], x: number): number {
  const place = edges.findIndex(([left, right]) => x < (left + right) / 2);
  return place < 0 ? edges.length : place;
}

export function isNumber(value: Json | undefined): boolean {
  return typeof value === "number" || typeof value === "bigint";
}
