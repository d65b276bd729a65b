import { useRef, useState } from "react";
import { LEAST_PX, MOST_PX, SERVICE, dropPlace, isNumber, leastWidth, moved, template, toggled, widthOf, withWidth, type Columns } from "../lib/columns";
import { visibleLine } from "../lib/format";
import { fieldValue } from "../lib/record";
import type { View } from "../lib/url";
import type { Rows } from "../lib/pages";
import { t } from "../strings";
import { IconButton } from "./Icon";

interface Props {
  view: View;
  update(patch: Partial<View>): void;
  rows: Rows;
  innerRef: React.Ref<HTMLDivElement>;
}

/** A press that moves no further than this is no drag. */
const STILL_PX = 4;
/** By one press of an arrow key. */
const STEP_PX = 16;
/** Of a chosen column among the cells of a row. */
const FIRST_CHOSEN = 3;
const SERVICE_CELL = 2;
/** Rows that are asked what a column holds. */
const LOOKED_AT = 50;

/** What stands above the list: the names of its columns, by which they are moved, made wider and removed. */
export function ListHead({ view, update, rows, innerRef }: Props) {
  const [said, say] = useState("");
  const change = (patch: Columns, text: string) => {
    update(patch);
    say(text);
  };
  const move = (name: string, to: number) => {
    const columns = moved(view.columns, name, to);
    change({ columns, widths: view.widths }, t.list.moved(name, columns.indexOf(name) + 1, columns.length));
  };
  const [drag, startDrag] = useDrag(view.columns, move);
  const edge = { view, resize: (widths: View["widths"]) => update({ widths }) };
  return (
    <div className="list-head-clip" ref={innerRef}>
      <div className="row list-head">
        <span>{t.list.time}</span>
        <span>{t.list.severity}</span>
        <span className="column-head">
          <span className="ellipsis">{t.list.service}</span>
          <Edge {...edge} name={SERVICE} cell={SERVICE_CELL} />
        </span>
        {view.columns.map((name, place) => (
          <span
            key={name} data-column={name} title={visibleLine(name)}
            className={["column-head", isOfNumbers(rows, name) && "of-numbers", drop(drag, name, place, view.columns.length)].filter(Boolean).join(" ")}
          >
            <button
              type="button" className="column-name" aria-keyshortcuts="Shift+ArrowLeft Shift+ArrowRight Delete"
              aria-description={t.list.columnKeys} onPointerDown={(event) => startDrag(event, name)}
              onKeyDown={(event) => {
                const step = event.shiftKey ? { ArrowLeft: -1, ArrowRight: 1 }[event.key] : undefined;
                if (step) move(name, place + step);
                else if (event.key === "Delete") change(toggled(view, name), t.list.removed(name));
                else return;
                event.preventDefault();
              }}
            >
              <bdi className="ellipsis">{visibleLine(name)}</bdi>
            </button>
            <IconButton name="close" label={t.list.removeColumn(visibleLine(name))} className="quiet" onClick={() => change(toggled(view, name), t.list.removed(name))} />
            <Edge {...edge} name={name} cell={FIRST_CHOSEN + place} />
          </span>
        ))}
        <span className="ellipsis" title={t.list.body}>{t.list.body}</span>
        <span className="offscreen" role="status">{visibleLine(said)}</span>
      </div>
    </div>
  );
}

/** Whether the first value of a column is a number: then its name stands where they do. */
function isOfNumbers(rows: Rows, name: string): boolean {
  for (let index = 0; index < Math.min(LOOKED_AT, rows.length); index++) {
    const record = rows.at(index);
    const value = record && fieldValue(record, name);
    if (value !== undefined) return isNumber(value);
  }
  return false;
}

interface Drag {
  name: string;
  /** Before which column it would be dropped. */
  place: number;
}

function drop(drag: Drag | null, name: string, place: number, count: number): string {
  if (drag === null) return "";
  if (drag.name === name) return "dragged";
  if (drag.place === place) return "drop-before";
  return drag.place === count && place === count - 1 ? "drop-after" : "";
}

/** Moving a column by its name, as long as the pointer is down; Escape leaves it where it was. */
function useDrag(columns: readonly string[], move: (name: string, to: number) => void) {
  const [drag, setDrag] = useState<Drag | null>(null);
  const start = (down: React.PointerEvent<HTMLElement>, name: string) => {
    if (down.button !== 0) return;
    const head = down.currentTarget.closest(".list-head");
    const from = columns.indexOf(name);
    let place: number | null = null;
    const follow = (event: PointerEvent) => {
      if (place === null && Math.abs(event.clientX - down.clientX) < STILL_PX) return;
      const heads = [...(head?.querySelectorAll("[data-column]") ?? [])].map((element) => element.getBoundingClientRect());
      place = dropPlace(heads.map(({ left, right }) => [left, right] as const), event.clientX);
      setDrag({ name, place });
    };
    whilePressed(down.currentTarget, down.pointerId, follow, (done) => {
      setDrag(null);
      if (done && place !== null) move(name, place > from ? place - 1 : place);
    });
  };
  return [drag, start] as const;
}

/** Calls `end` once, with false where it was given up. */
function whilePressed(target: HTMLElement, pointer: number, follow: (event: PointerEvent) => void, end: (done: boolean) => void): void {
  const over = new AbortController();
  const { signal } = over;
  const finish = (done: boolean) => {
    over.abort();
    end(done);
  };
  target.setPointerCapture(pointer);
  target.addEventListener("pointermove", follow, { signal });
  target.addEventListener("pointerup", () => finish(true), { signal });
  target.addEventListener("pointercancel", () => finish(false), { signal });
  window.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    finish(false);
  }, { signal, capture: true });
}

interface EdgeProps {
  view: View;
  resize(widths: View["widths"]): void;
  name: string;
  /** Which of the cells of a row it is. */
  cell: number;
}

/** The right edge of a column, by which it is made wider. While it is dragged only the style changes: an address may not change at each step. */
function Edge({ view, resize, name, cell }: EdgeProps) {
  const edge = useRef<HTMLSpanElement>(null);
  const list = () => edge.current?.closest<HTMLElement>(".list") ?? null;
  const width = () => edge.current?.parentElement?.getBoundingClientRect().width ?? 0;
  const show = (widths: View["widths"]) => setColumns(list(), { ...view, widths });
  const set = (px: number | null) => resize(withWidth(view.widths, name, px));
  const fit = () => {
    const found = list();
    if (found) set(fittingWidth(found, cell));
  };
  const onPointerDown = (down: React.PointerEvent<HTMLElement>) => {
    if (down.button !== 0) return;
    const before = width();
    let widths = view.widths;
    const follow = (event: PointerEvent) => {
      widths = withWidth(view.widths, name, before + event.clientX - down.clientX);
      show(widths);
    };
    whilePressed(down.currentTarget, down.pointerId, follow, (done) => {
      if (done && widths !== view.widths) resize(widths);
      else show(view.widths);
    });
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowLeft: -STEP_PX, ArrowRight: STEP_PX }[event.key];
    if (step) set(width() + step);
    else if (event.key === "Enter") fit();
    else if (event.key === "Home") set(null);
    else return;
    event.preventDefault();
  };
  return (
    <span
      ref={edge} className="column-edge" role="separator" tabIndex={0} aria-orientation="vertical" aria-label={t.list.width(visibleLine(name))}
      aria-valuemin={LEAST_PX} aria-valuemax={MOST_PX} aria-valuenow={widthOf(view.widths, name)} title={t.list.widthKeys}
      onPointerDown={onPointerDown} onDoubleClick={fit} onKeyDown={onKeyDown}
    />
  );
}

export function columnsStyle(columns: Columns): { [name: string]: string } {
  return { "--columns": template(columns), "--least": `${leastWidth(columns)}px` };
}

function setColumns(list: HTMLElement | null, columns: Columns): void {
  for (const [name, value] of Object.entries(columnsStyle(columns))) list?.style.setProperty(name, value);
}

/** The width that the widest of the texts on screen needs, the name of the column among them. */
function fittingWidth(list: HTMLElement, cell: number): number {
  const head = list.querySelector(".list-head")?.children[cell];
  const cells = [...list.querySelectorAll(".log-row")].map((row) => row.children[cell]);
  const texts = [head?.querySelector(".ellipsis"), ...cells].filter((element) => element !== undefined && element !== null);
  const range = document.createRange();
  const widths = texts.map((element) => {
    range.selectNodeContents(element);
    return range.getBoundingClientRect().width;
  });
  // One more, as texts end between two pixels.
  return Math.max(...widths, 0) + 1;
}
