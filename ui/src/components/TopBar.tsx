import type { Field } from "../api/types";
import { liveRange } from "../lib/keys";
import { useTheme } from "../lib/theme";
import { isLive } from "../lib/time";
import { tailWanted, type View } from "../lib/url";
import type { Tail } from "../lib/useTail";
import { t } from "../strings";
import { Account } from "./Account";
import { Icon, IconButton } from "./Icon";
import { Nav } from "./Nav";
import { SearchBar } from "./SearchBar";
import { TimePicker } from "./TimePicker";
import { ViewsButton } from "./views/ViewsButton";

interface Props {
  view: View;
  update(patch: Partial<View>): void;
  range: { fromNs: bigint; toNs: bigint };
  tail: Tail;
  fields: Field[];
  error: Error | null;
  refresh(): void;
  onShortcuts(): void;
  onFacets(): void;
  facetsOpen: boolean;
}

export function TopBar({ view, update, range, tail, fields, error, refresh, onShortcuts, onFacets, facetsOpen }: Props) {
  const [theme, nextTheme] = useTheme();
  return (
    <header className="top">
      <h1 className="brand">{t.product}</h1>
      <Nav />
      <IconButton name="filter" label={facetsOpen ? t.facets.hide : t.facets.show} pressed={facetsOpen} onClick={onFacets} />
      <SearchBar view={view} update={({ q }) => update({ q, record: null })} fields={fields} error={error} refresh={refresh} />
      <TimePicker view={view} update={update} range={range} />
      <div className="top-group">
        <TailButton view={view} update={update} tail={tail} refresh={refresh} />
        <button
          type="button" className="button order" title={view.order === "desc" ? t.order.desc : t.order.asc}
          onClick={() => update({ order: view.order === "desc" ? "asc" : "desc" })}
        >
          <Icon name={view.order === "desc" ? "down" : "up"} />
          <span className="wide-only">{view.order === "desc" ? t.order.desc : t.order.asc}</span>
        </button>
        <IconButton name="refresh" label={t.states.retry} onClick={refresh} className="wide-only" />
        <ViewsButton />
        <IconButton name="theme" label={t.theme[theme]} onClick={nextTheme} />
        <IconButton name="keys" label={t.keys.open} onClick={onShortcuts} className="wide-only" />
        <Account />
      </div>
    </header>
  );
}

function TailButton({ view, update, tail, refresh }: Pick<Props, "view" | "update" | "tail" | "refresh">) {
  const on = tail.state !== "off";
  const barred = view.template !== "";
  const click = () => {
    if (barred) return;
    if (tail.state === "paused") tail.resume();
    else if (on) update({ tail: false });
    else if (tailWanted(view)) refresh();
    else update({ ...liveRange(view), tail: true, order: "desc" });
  };
  const label = barred ? t.tail.oneTemplate : on ? t.tail.stop : isLive(view) ? t.tail.start : t.tail.unavailable;
  return (
    <button
      type="button" className={`button tail tail-${tail.state}`} onClick={click} aria-pressed={on} aria-disabled={barred} title={label}
      data-tail={tail.state}
    >
      <span className="tail-dot" aria-hidden="true" />
      <span>{t.tail.states[tail.state]}</span>
    </button>
  );
}
