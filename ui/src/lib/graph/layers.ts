/**
 * Where the nodes and edges of a directed graph are drawn: callers left of whom they call, in layers. The steps are the
 * usual ones (Sugiyama): rings are opened, each node gets the layer behind its last caller, edges over several layers
 * get places in those between, and some sweeps put each node near the middle of its neighbours, so that few edges cross.
 * Groups are bands below one another, each with a frame, so that a frame never holds a node that is not of its group.
 */
export interface Placed {
  name: string;
  layer: number;
  /** The upper left corner. */
  x: number;
  y: number;
}

export interface Drawn {
  from: string;
  to: string;
  /** Of an SVG path. */
  path: string;
  middle: { x: number; y: number };
}

/** Around the nodes of one group. */
export interface Frame {
  group: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Layout {
  nodes: Map<string, Placed>;
  edges: Drawn[];
  frames: Frame[];
  width: number;
  height: number;
}

export const NODE = { width: 188, height: 46, across: 116, below: 22, margin: 16 };
/** What a frame leaves free around its nodes, and above them for its name. */
export const FRAME = { around: 12, above: 26 };
/** So many columns at least for those without edges. */
const ALONE = 4;
const SWEEPS = 8;

/** A node, or the place of an edge in a layer that it only crosses. */
interface Spot {
  name: string | null;
  group: string | null;
  layer: number;
  order: number;
  y: number;
  before: Spot[];
  after: Spot[];
}

export type GroupOf = (name: string) => string | null;

export function layOut(names: readonly string[], edges: readonly (readonly [from: string, to: string])[], groupOf: GroupOf = () => null): Layout {
  const known = new Set(names);
  const real = edges.filter(([from, to]) => known.has(from) && known.has(to));
  const between = real.filter(([from, to]) => from !== to);
  const ends = new Set(between.flat());
  const linked = names.filter((name) => ends.has(name));
  const forward = withoutRings(linked, between);
  const layers = layersOf(linked, forward);
  const spots = new Map(linked.map((name) => [name, spot(name, layers.get(name)!, groupOf(name))]));
  const chains = new Map<string, Spot[]>();
  for (const [from, to] of forward) chains.set(key(from, to), chain(spots.get(from)!, spots.get(to)!));
  const columns = order([...new Set([...spots.values(), ...[...chains.values()].flat()])]);
  stack(columns);
  const below = columns.flat().reduce((most, { y }) => Math.max(most, y + STEP), NODE.margin);
  const width = Math.max(columns.length, linked.length < names.length ? ALONE : 1);
  const nodes = new Map([...spots].map(([name, { layer, y }]): [string, Placed] => [name, { name, layer, x: left(layer), y }]));
  names.filter((name) => !ends.has(name)).forEach((name, at) => {
    nodes.set(name, { name, layer: at % width, x: left(at % width), y: below + Math.floor(at / width) * STEP });
  });
  return {
    nodes,
    frames: framesOf([...spots.values()]),
    edges: real.map(([from, to]) => draw(from, to, nodes, chains)),
    width: left(width) - NODE.across + NODE.margin,
    height: [...nodes.values()].reduce((most, { y }) => Math.max(most, y + NODE.height), 0) + NODE.margin + FRAME.around,
  };
}

function left(layer: number): number {
  return NODE.margin + layer * (NODE.width + NODE.across);
}

const key = (from: string, to: string) => JSON.stringify([from, to]);

function spot(name: string | null, layer: number, group: string | null): Spot {
  return { name, group, layer, order: 0, y: 0, before: [], after: [] };
}

/** The same edges, those that close a ring turned round. Searched from those whom nobody calls, in the given order. */
function withoutRings(names: readonly string[], edges: readonly (readonly [string, string])[]): [string, string][] {
  const after = new Map<string, string[]>(names.map((name) => [name, []]));
  const called = new Set<string>();
  for (const [from, to] of edges) {
    after.get(from)!.push(to);
    called.add(to);
  }
  const state = new Map<string, "open" | "done">();
  const turned = new Set<string>();
  for (const start of [...names.filter((name) => !called.has(name)), ...names]) {
    if (state.has(start)) continue;
    const stack: [string, number][] = [[start, 0]];
    state.set(start, "open");
    for (let top = stack[stack.length - 1]; top; top = stack[stack.length - 1]) {
      const [name, at] = top;
      const next = after.get(name)![at];
      top[1]++;
      if (next === undefined) {
        state.set(name, "done");
        stack.pop();
      } else if (state.get(next) === "open") turned.add(key(name, next));
      else if (!state.has(next)) {
        state.set(next, "open");
        stack.push([next, 0]);
      }
    }
  }
  const seen = new Set<string>();
  return edges
    .map(([from, to]): [string, string] => (turned.has(key(from, to)) ? [to, from] : [from, to]))
    .filter(([from, to]) => !seen.has(key(from, to)) && seen.add(key(from, to)));
}

/** Each behind the last of its callers. */
function layersOf(names: readonly string[], edges: readonly [string, string][]): Map<string, number> {
  const waits = new Map(names.map((name) => [name, 0]));
  const after = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const [from, to] of edges) {
    waits.set(to, waits.get(to)! + 1);
    after.get(from)!.push(to);
  }
  const layers = new Map(names.map((name) => [name, 0]));
  const ready = names.filter((name) => waits.get(name) === 0);
  for (let name = ready.pop(); name !== undefined; name = ready.pop()) {
    for (const next of after.get(name)!) {
      layers.set(next, Math.max(layers.get(next)!, layers.get(name)! + 1));
      waits.set(next, waits.get(next)! - 1);
      if (waits.get(next) === 0) ready.push(next);
    }
  }
  return layers;
}

function chain(from: Spot, to: Spot): Spot[] {
  const all = [from, ...Array.from({ length: to.layer - from.layer - 1 }, (_, at) => spot(null, from.layer + at + 1, from.group)), to];
  for (let at = 1; at < all.length; at++) {
    all[at - 1]!.after.push(all[at]!);
    all[at]!.before.push(all[at - 1]!);
  }
  return all;
}

/** Columns, each in an order in which edges cross little. */
function order(spots: Spot[]): Spot[][] {
  const columns: Spot[][] = [];
  for (const one of spots) (columns[one.layer] ??= []).push(one);
  for (let layer = 0; layer < columns.length; layer++) columns[layer] ??= [];
  const number = (column: Spot[]) => column.forEach((one, at) => { one.order = at; });
  columns.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const column of down ? columns : [...columns].reverse()) {
      const middle = new Map(column.map((one) => [one, mean(down ? one.before : one.after, (other) => other.order) ?? one.order]));
      column.sort((a, b) => middle.get(a)! - middle.get(b)! || a.order - b.order);
      number(column);
    }
  }
  return columns;
}

function mean(spots: readonly Spot[], of: (spot: Spot) => number): number | null {
  return spots.length === 0 ? null : spots.reduce((sum, one) => sum + of(one), 0) / spots.length;
}

const STEP = NODE.height + NODE.below;

/** The bands of the groups below one another, the highest first as the sweeps have left them. */
function stack(columns: Spot[][]): void {
  const groups = bands(columns);
  let top = NODE.margin;
  for (const group of groups) {
    const own = columns.map((column) => column.filter((one) => one.group === group));
    if (group !== null) top += FRAME.above;
    straighten(own, top);
    top = own.flat().reduce((low, { y }) => Math.max(low, y + STEP), top);
    if (group !== null) top += FRAME.around;
  }
}

function bands(columns: Spot[][]): (string | null)[] {
  const heights = new Map<string | null, number[]>();
  for (const column of columns) {
    for (const one of column) heights.set(one.group, [...(heights.get(one.group) ?? []), one.order / column.length]);
  }
  const height = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  return [...heights].sort((a, b) => height(a[1]) - height(b[1])).map(([group]) => group);
}

function framesOf(spots: Spot[]): Frame[] {
  const groups = new Set(spots.flatMap(({ group }) => (group === null ? [] : [group])));
  return [...groups].map((group) => {
    const own = spots.filter((one) => one.group === group);
    const layers = own.map(({ layer }) => layer);
    const tops = own.map(({ y }) => y);
    const [x, y] = [left(Math.min(...layers)) - FRAME.around, Math.min(...tops) - FRAME.above];
    return {
      group, x, y, width: left(Math.max(...layers)) + NODE.width + FRAME.around - x, height: Math.max(...tops) + NODE.height + FRAME.around - y,
    };
  });
}

/** Heights near those of their neighbours of the same group, in order and apart, the highest at `top`. */
function straighten(columns: Spot[][], top: number): void {
  for (const column of columns) column.forEach((one, at) => { one.y = at * STEP; });
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const wanted = column.map((one) => mean((sweep % 2 === 0 ? one.before : one.after).filter(({ group }) => group === one.group), (other) => other.y) ?? one.y);
      column.forEach((one, at) => { one.y = Math.max(wanted[at]!, at === 0 ? -Infinity : column[at - 1]!.y + STEP); });
      // What was pushed down takes the whole column half-way back up.
      const pushed = mean(column, (one) => one.y - wanted[column.indexOf(one)]!) ?? 0;
      for (const one of column) one.y -= pushed;
    }
  }
  const least = columns.flat().reduce((low, { y }) => Math.min(low, y), Infinity);
  for (const one of columns.flat()) one.y += top - least;
}

function draw(from: string, to: string, nodes: Map<string, Placed>, chains: Map<string, Spot[]>): Drawn {
  const start = nodes.get(from)!;
  if (from === to) {
    const [x, y] = [start.x + NODE.width, start.y + NODE.height / 2];
    return { from, to, path: `M${x} ${y - 10}C${x + 40} ${y - 26} ${x + 40} ${y + 26} ${x} ${y + 10}`, middle: { x: x + 30, y } };
  }
  const forward = chains.get(key(from, to));
  const spots = forward ?? [...chains.get(key(to, from))!].reverse();
  // Through the layers between, an edge goes straight where a node would stand.
  const points = spots.flatMap((one, at): [number, number][] => {
    const y = one.y + NODE.height / 2;
    const [near, far] = forward ? [left(one.layer), left(one.layer) + NODE.width] : [left(one.layer) + NODE.width, left(one.layer)];
    return at === 0 ? [[far, y]] : at === spots.length - 1 ? [[near, y]] : [[near, y], [far, y]];
  });
  const [first, ...rest] = points as [[number, number], ...[number, number][]];
  let path = `M${first[0]} ${round(first[1])}`;
  let last = first;
  rest.forEach((point, at) => {
    const half = (last[0] + point[0]) / 2;
    path += at % 2 === 1 ? `L${point[0]} ${round(point[1])}` : `C${half} ${round(last[1])} ${half} ${round(point[1])} ${point[0]} ${round(point[1])}`;
    last = point;
  });
  const end = rest[0]!;
  return { from, to, path, middle: { x: (first[0] + end[0]) / 2, y: (first[1] + end[1]) / 2 } };
}

const round = (value: number) => Math.round(value * 10) / 10;
