import { useMemo, useRef, useState } from "react";
import { MTLS_STATES, type Edge, type MtlsState } from "../../api/types";
import { millis, visibleLine } from "../../lib/format";
import { NODE, layOut, type Drawn, type Frame, type Placed } from "../../lib/graph/layers";
import { crosses, named, type Named, type Row } from "../../lib/graph/join";
import type { ServicesView } from "../../lib/graph/view";
import { t } from "../../strings";

interface Props {
  /** Of all of the range: where everything stands. */
  drawn: { names: string[]; edges: Named[] };
  /** Of what is shown. */
  now: readonly Edge[];
  meshes: ReadonlyMap<string, string>;
  rows: Row[];
  view: ServicesView;
  update(patch: Partial<ServicesView>): void;
  left: { nodes: number; edges: number; nameless: number };
}

/** An edge with this share of errors is drawn red. */
const BAD = 0.01;

const keyOf = ({ caller, callee }: Pick<Edge, "caller" | "callee">) => JSON.stringify([caller, callee]);
const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

export function ServiceMap({ drawn, now, meshes, rows, view, update, left }: Props) {
  const layout = useMemo(() => layOut(drawn.names, drawn.edges.map(({ caller, callee }) => [caller, callee] as const), (name) => meshes.get(name) ?? null), [drawn, meshes]);
  const calls = useMemo(() => new Map(named(now).map((call) => [keyOf(call), call])), [now]);
  const byName = useMemo(() => new Map(rows.map((row) => [row.name, row])), [rows]);
  const most = drawn.edges.reduce((high, { calls }) => Math.max(high, calls), 1);
  const [focus, setFocus] = useState(drawn.names[0] ?? "");
  const nodes = useRef(new Map<string, SVGRectElement>());
  const here = layout.nodes.has(view.service) && !view.caller ? view.service : layout.nodes.has(focus) ? focus : (drawn.names[0] ?? "");
  const onKeyDown = (event: React.KeyboardEvent) => {
    const to = neighbour(layout.nodes, here, event.key);
    if (to !== null) {
      setFocus(to);
      nodes.current.get(to)?.focus();
      if (view.service) update({ service: to, caller: "" });
    } else if (event.key === "Enter" || event.key === " ") update({ service: here, caller: "" });
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="map">
      <p className="map-note muted">
        <Legend />
        {left.nodes + left.edges > 0 && <span className="text-warn">{t.services.tooMany(left.nodes, left.edges)}</span>}
        {left.nameless > 0 && <span>{t.services.noCallee(left.nameless)}</span>}
      </p>
      <div className="map-scroll" tabIndex={-1}>
        <svg width={layout.width} height={layout.height} role="group" aria-label={`${t.services.map}. ${t.services.mapKeys}`} onKeyDown={onKeyDown}>
          <defs>
            {["line", "error", "accent"].map((colour) => (
              <marker key={colour} id={`arrow-${colour}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto">
                <path d="M0 0L8 4L0 8z" className={`arrow-${colour}`} />
              </marker>
            ))}
          </defs>
          {layout.frames.map((frame) => <MeshFrame key={frame.group} frame={frame} />)}
          {layout.edges.map((edge, at) => {
            const call = calls.get(keyOf(drawn.edges[at]!));
            if (!call) return null;
            return <EdgeLine key={`${edge.from}\0${edge.to}`} edge={edge} call={call} most={most} crossing={crosses(meshes, call)} open={isOpen(view, call)} choose={() => update({ service: call.callee, caller: call.caller })} />;
          })}
          {[...layout.nodes.values()].map((node) => (
            <ServiceNode
              key={node.name} node={node} mesh={meshes.get(node.name) ?? null} row={byName.get(node.name)} open={view.service === node.name && !view.caller} focused={node.name === here}
              keep={(element) => { if (element) nodes.current.set(node.name, element); else nodes.current.delete(node.name); }}
              choose={() => { setFocus(node.name); update({ service: node.name, caller: "" }); }}
            />
          ))}
        </svg>
      </div>
    </div>
  );
}

/** What lines and locks mean, each by its shape. */
function Legend() {
  const { lines } = t.services;
  return (
    <>
      <span className="legend">{t.services.legend}</span>
      {MTLS_STATES.map((state) => (
        <span key={state} className="legend" title={t.services.mtlsTitle[state]}>
          <svg width="18" height="18" aria-hidden="true"><Lock state={state} x={9} y={9} /></svg> {t.services.mtls[state]}
        </span>
      ))}
      {(["call", "crossing", "failing"] as const).map((kind) => (
        <span key={kind} className="legend">
          <svg width="30" height="10" aria-hidden="true"><path d="M1 5H29" className={`legend-line legend-${kind}`} /></svg> {lines[kind]}
        </span>
      ))}
    </>
  );
}

function MeshFrame({ frame: { group, x, y, width, height } }: { frame: Frame }) {
  return (
    <g className="mesh-frame" transform={`translate(${x} ${y})`}>
      <rect width={width} height={height} rx="10" />
      <text x="12" y="17">{visibleLine(cut(t.services.meshOf(group), 60))}</text>
    </g>
  );
}

function isOpen(view: ServicesView, { caller, callee }: Named): boolean {
  return view.caller ? view.caller === caller && view.service === callee : view.service !== "" && (view.service === caller || view.service === callee);
}

/** The nearest service in the direction of an arrow key. */
function neighbour(nodes: Map<string, Placed>, name: string, key: string): string | null {
  const from = nodes.get(name);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 0, ArrowDown: 0 }[key];
  if (!from || step === undefined) return null;
  const down = key === "ArrowDown";
  const all = [...nodes.values()].filter((node) => (step === 0 ? node.layer === from.layer && (down ? node.y > from.y : node.y < from.y) : Math.sign(node.layer - from.layer) === step));
  const far = (node: Placed) => Math.abs(node.layer - from.layer) * 10_000 + Math.abs(node.y - from.y);
  return all.sort((a, b) => far(a) - far(b))[0]?.name ?? name;
}

interface EdgeProps {
  edge: Drawn;
  call: Named;
  most: number;
  crossing: boolean;
  open: boolean;
  choose(): void;
}

/** Calls are also in the details of either end and in the table, which the keyboard reaches. */
function EdgeLine({ edge, call, most, crossing, open, choose }: EdgeProps) {
  const bad = call.error_ratio >= BAD;
  const colour = open ? "accent" : bad ? "error" : "line";
  const ratio = t.services.percent(call.error_ratio);
  const about = visibleLine(`${call.caller} → ${call.callee}: ${t.services.callsOf(call.calls)}, ${t.services.errorsOf(call.errors, ratio)}, p95 ${call.duration_ms.p95 === null ? "–" : millis(call.duration_ms.p95)}, ${call.mtls ? t.services.mtls[call.mtls.state] : t.services.mtlsUnknownTitle}${crossing ? `, ${t.services.lines.crossing}` : ""}`);
  const { x, y } = edge.middle;
  return (
    <g className={`edge edge-${colour} ${crossing ? "edge-crossing" : ""}`} aria-hidden="true" onClick={choose}>
      <title>{about}</title>
      <path d={edge.path} className="edge-hit" />
      <path d={edge.path} className="edge-line" strokeWidth={1 + (3 * Math.log1p(call.calls)) / Math.log1p(most)} markerEnd={`url(#arrow-${colour})`} />
      {call.mtls && <Lock state={call.mtls.state} x={x} y={y} />}
      {bad && <text className="edge-label" x={x + (call.mtls ? 12 : 0)} y={y - 6} textAnchor={call.mtls ? "start" : "middle"}>{ratio}</text>}
    </g>
  );
}

/** Four shapes, so that nobody needs the colours: a key hole, closed, open, crossed out. */
const LOCKS: { [state in MtlsState]: string } = {
  proven: "M4.5 7.5h7v5h-7zM6 7.5V5.5a2 2 0 0 1 4 0v2M8 9.2v1.8",
  claimed: "M4.5 7.5h7v5h-7zM6 7.5V5.5a2 2 0 0 1 4 0v2",
  unproven: "M4.5 7.5h7v5h-7zM6 7.5V5.2a2 2 0 0 1 4-.6",
  plaintext: "M4.5 7.5h7v5h-7zM6 7.5V5.2a2 2 0 0 1 4-.6M2.5 2.5l11 11",
};

function Lock({ state, x, y }: { state: MtlsState; x: number; y: number }) {
  return (
    <g className={`lock lock-${state}`} transform={`translate(${x - 8} ${y - 8})`}>
      <circle cx="8" cy="8" r="8.5" />
      <path d={LOCKS[state]} />
    </g>
  );
}

interface NodeProps {
  node: Placed;
  mesh: string | null;
  row: Row | undefined;
  open: boolean;
  focused: boolean;
  keep(element: SVGRectElement | null): void;
  choose(): void;
}

function ServiceNode({ node, mesh, row, open, focused, keep, choose }: NodeProps) {
  const stats = row?.stats;
  const bad = stats !== null && stats !== undefined && stats.error_ratio >= BAD;
  const about = stats
    ? `${t.services.requests(stats.requests)}, ${t.services.errorsOf(stats.errors, t.services.percent(stats.error_ratio))}` : row ? t.services.onlyCalled : t.services.idle;
  const name = visibleLine(node.name.slice(0, 200)) || t.services.noName;
  const label = t.services.node(name, mesh === null ? about : `${about}, ${t.services.meshOf(visibleLine(mesh))}`);
  return (
    <g className={`node ${open ? "node-open" : ""} ${bad ? "node-bad" : ""} ${stats ? "" : row ? "node-outside" : "node-idle"}`} transform={`translate(${node.x} ${node.y})`}>
      <rect ref={keep} width={NODE.width} height={NODE.height} rx="6" role="button" tabIndex={focused ? 0 : -1} aria-pressed={open} aria-label={label} onClick={choose}>
        <title>{label}</title>
      </rect>
      <g aria-hidden="true">
        <text x="12" y="19" className="node-name">{cut(name, stats?.errors ? 17 : 23)}</text>
        {stats && stats.errors > 0 && <text x={NODE.width - 12} y="19" textAnchor="end" className="node-errors">{t.services.percent(stats.error_ratio)}</text>}
        <text x="12" y="36" className="node-text">{stats ? t.services.perSecond(stats.rate) : row ? t.services.outside : t.services.idle}</text>
        {stats && <text x={NODE.width - 12} y="36" textAnchor="end" className="node-text">{stats.duration_ms.p95 === null ? "" : `p95 ${millis(stats.duration_ms.p95)}`}</text>}
      </g>
    </g>
  );
}
