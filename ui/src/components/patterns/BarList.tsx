import type { Severity } from "../../api/types";
import { compact, visibleLine } from "../../lib/format";
import { Link } from "../Nav";
import { Visible } from "../Visible";

export interface Item {
  key: string;
  text: string;
  /** Null where it is not known. */
  count: number | null;
  colour?: Severity;
  /** What a click does, in words. */
  hint: string;
  /** Does something here, or leads somewhere. */
  pick?: () => void;
  to?: string;
  off?: boolean;
}

const CUT = 200;

/** Values with how many of each, and a bar for the share. */
export function BarList({ items, total }: { items: Item[]; total: number }) {
  return (
    <ul className="bar-list">
      {items.map((item) => <li key={item.key}><One item={item} share={total === 0 ? 0 : (item.count ?? 0) / total} /></li>)}
    </ul>
  );
}

function One({ item, share }: { item: Item; share: number }) {
  const { text, count, colour, pick, to, off = false } = item;
  const title = visibleLine(item.hint.slice(0, CUT * 2));
  const content = (
    <>
      {count !== null && <span className="facet-bar" style={{ width: `${Math.min(100, Math.max(1, share * 100))}%` }} aria-hidden="true" />}
      {colour && <span className={`swatch bg-${colour}`} />}
      <bdi className="ellipsis"><Visible text={text.slice(0, CUT)} /></bdi>{" "}
      <span className="facet-count">{count === null ? "" : compact(count)}</span>
    </>
  );
  if (to !== undefined && !off) return <Link className="facet-pick" to={to} title={title}>{content}</Link>;
  return <button type="button" className="facet-pick" disabled={off} title={title} onClick={pick}>{content}</button>;
}
