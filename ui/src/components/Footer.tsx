import type { Partial as PartialAnswer, Stats, Status } from "../api/types";
import { bytes, millis } from "../lib/format";
import type { Tail } from "../lib/useTail";
import { t } from "../strings";

interface Props {
  status: Status | undefined;
  total: number | undefined;
  stats: Stats | undefined;
  tail: Tail;
  partial: PartialAnswer | null;
  refresh(): void;
  children: React.ReactNode;
}

/** What was searched and what was lost, in plain numbers. */
export function Footer({ status, total, stats, tail, partial, refresh, children }: Props) {
  return (
    <footer className="footer">
      <span className="footer-main" data-total={total}>{total === undefined ? "" : t.footer.matched(total)}</span>
      {children}
      {partial && <strong className="text-warn">{t.states.partial(partial.reason, partial.missing)}</strong>}
      {tail.lost > 0 && (
        <button type="button" className="link text-warn" title={t.tail.lostWhy} onClick={refresh}>{t.tail.lost(tail.lost)}</button>
      )}
      {stats && (
        <span className="muted wide-only" title={t.footer.segments(stats.segments ?? 0, stats.segments_pruned ?? 0)}>
          {stats.scanned_rows === null
            ? millis(stats.elapsed_ms)
            : t.footer.took(millis(stats.elapsed_ms), stats.scanned_rows, bytes(stats.scanned_bytes ?? 0))}
        </span>
      )}
      <span className="footer-end muted wide-only">{status ? `${t.product} ${t.footer.version(status.version, status.tenant)}` : ""}</span>
    </footer>
  );
}
