import { useLasting } from "../lib/hooks";
import { t } from "../strings";

/** Says that the server is away, once that has lasted long enough to be worth saying. It lies over the page: nothing moves. */
export function AwayBanner({ away }: { away: boolean }) {
  const lasting = useLasting(away, 400);
  return (
    <div className="away" role="status">
      {lasting && <p><strong>{t.states.awayTitle}.</strong> {t.states.awayText}</p>}
    </div>
  );
}

export function SlowNote({ active, onCancel }: { active: boolean; onCancel(): void }) {
  const slow = useLasting(active, 1000);
  return (
    <div className="slow" role="status">
      {slow && (
        <div className="slow-note">
          <span className="slow-line" aria-hidden="true" />
          <span>{t.states.slow}</span>
          <button type="button" className="button" onClick={onCancel}>{t.states.cancel}</button>
        </div>
      )}
    </div>
  );
}
