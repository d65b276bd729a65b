import type { AnchorHTMLAttributes } from "react";
import { VIEW_NAMES } from "../lib/pageNames";
import { openPalette } from "../lib/palette";
import { go, usePath } from "../lib/place";
import { PALETTE_KEYS } from "../lib/platform";
import { PATHS, viewAddress } from "../lib/url";
import { t } from "../strings";
import { IconButton } from "./Icon";

interface LinkProps extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "href"> {
  to: string;
}

/** A link within the console. It is a real one, so that it can be copied and opened beside. */
export function Link({ to, onClick, ...rest }: LinkProps) {
  const click = (event: React.MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return <a {...rest} href={to} onClick={click} />;
}

export function Nav() {
  const here = usePath();
  const isHere = (path: string) => (path === "/" ? here === "/" || here === "/overview" : here.startsWith(path));
  return (
    <nav className="nav" aria-label={t.pages.label}>
      {PATHS.map((path) => (
        <Link key={path} to={viewAddress(path)} aria-current={isHere(path) ? "page" : undefined}>{VIEW_NAMES[path]}</Link>
      ))}
      <IconButton name="command" label={t.palette.open(PALETTE_KEYS)} className="wide-only" onClick={openPalette} />
    </nav>
  );
}
