import { useEffect, useMemo, useState, type ReactNode } from "react";
import { UnreachableError } from "../api/client";
import { useStatus } from "../api/queries";
import { useTitle } from "../lib/hooks";
import { usePageKeys, type Actions } from "../lib/keys";
import { useTheme } from "../lib/theme";
import { absoluteNs, durationNs, type Range } from "../lib/time";
import { t, type KeyRow } from "../strings";
import { Account } from "./Account";
import { IconButton } from "./Icon";
import { Nav } from "./Nav";
import { AwayBanner } from "./Notes";
import { Shortcuts } from "./Shortcuts";
import { ViewsButton } from "./views/ViewsButton";

interface Props {
  title: string;
  /** What stands in the top bar between the views and the theme. */
  tools: ReactNode;
  keys: Actions;
  onControls?: Actions;
  /** Closes what is open, if anything is. */
  escape?(): boolean;
  help: KeyRow[];
  refresh(): void;
  /** Of the latest request: where nobody answered, one looks whether the server is there. */
  error?: Error | null;
  footer: ReactNode;
  children: ReactNode;
}

const AGAIN_MS = 1000;

/** The frame of a view beside the list of logs. */
export function Shell({ title, tools, keys, onControls = {}, escape = () => false, help, refresh, error = null, footer, children }: Props) {
  const [theme, nextTheme] = useTheme();
  const [shortcuts, setShortcuts] = useState(false);
  const status = useStatus();
  const away = status.error instanceof UnreachableError;
  const recheck = status.refetch;
  const suspect = error instanceof UnreachableError;
  useEffect(() => {
    if (!suspect) return;
    void recheck();
    // It may be back before anybody noticed that it was away.
    const timer = setTimeout(() => void recheck().then(({ isSuccess }) => { if (isSuccess) refresh(); }), AGAIN_MS);
    return () => clearTimeout(timer);
  }, [suspect, recheck, refresh]);
  useTitle(title);
  useReturn(away, refresh);
  const close = () => {
    if (!shortcuts) return escape();
    setShortcuts(false);
    return true;
  };
  usePageKeys({ keys: { ...keys, r: refresh, "?": () => setShortcuts(true) }, onControls, escape: close, asleep: shortcuts, help });
  return (
    <div className="app">
      <a className="skip" href="#view">{t.pages.skip}</a>
      <header className="top">
        <p className="brand">{t.product}</p>
        <Nav />
        {tools}
        <div className="top-group">
          <IconButton name="refresh" label={t.states.retry} onClick={refresh} className="wide-only" />
          <ViewsButton />
          <IconButton name="theme" label={t.theme[theme]} onClick={nextTheme} />
          <IconButton name="keys" label={t.keys.open} onClick={() => setShortcuts(true)} className="wide-only" />
          <Account />
        </div>
      </header>
      <AwayBanner away={away} />
      {children}
      <footer className="footer">
        {footer}
        <span className="footer-end muted wide-only">{status.data ? `${t.product} ${t.footer.version(status.data.version, status.data.tenant)}` : ""}</span>
      </footer>
      {shortcuts && <Shortcuts rows={help} onClose={() => setShortcuts(false)} />}
    </div>
  );
}

function useReturn(away: boolean, refresh: () => void): void {
  const [was, setWas] = useState(away);
  useEffect(() => {
    if (was && !away) refresh();
    setWas(away);
  }, [was, away, refresh]);
}

/** The bounds as the server resolved them, or about what they are as long as it has not. */
export function useBounds({ from, to }: Range, answer: { from_ns: string; to_ns: string } | undefined): { fromNs: bigint; toNs: bigint } {
  return useMemo(() => {
    if (answer) return { fromNs: BigInt(answer.from_ns), toNs: BigInt(answer.to_ns) };
    const now = BigInt(Date.now()) * 1_000_000n;
    return { fromNs: absoluteNs(from) ?? now - (durationNs(from) ?? 900_000_000_000n), toNs: absoluteNs(to) ?? now };
  }, [answer, from, to]);
}
