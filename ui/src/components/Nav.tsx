import type { AnchorHTMLAttributes } from "react";
import { go, usePath } from "../lib/place";
import { PATHS, viewAddress, type Path } from "../lib/url";
import { t } from "../strings";

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

const NAMES: { [path in Path]: string } = { "/": t.pages.overview, "/logs": t.pages.logs, "/patterns": t.pages.patterns, "/traces": t.pages.traces, "/services": t.pages.services, "/sources": t.pages.sources, "/sql": t.pages.sql };

export function Nav() {
  const here = usePath();
  const isHere = (path: string) => (path === "/" ? here === "/" || here === "/overview" : here.startsWith(path));
  return (
    <nav className="nav" aria-label={t.pages.label}>
      {PATHS.map((path) => (
        <Link key={path} to={viewAddress(path)} aria-current={isHere(path) ? "page" : undefined}>{NAMES[path]}</Link>
      ))}
    </nav>
  );
}
