import { ApiError } from "../../api/client";
import { t } from "../../strings";
import { Card, Failure } from "../States";

/** What is asked for where all of a trace may not be read out. */
export const FEW = 1000;

/** Why there is no trace to see, and what one can do about it. */
export function NotShown({ error, refresh, fewer }: { error: Error; refresh(): void; fewer: (() => void) | undefined }) {
  if (!(error instanceof ApiError)) return <Failure error={error} refresh={refresh} />;
  if (error.status === 404) return <Card title={t.trace.goneTitle} text={t.trace.goneText} action={t.states.retry} onAction={refresh} alert />;
  if (error.status === 400) return <Card title={t.trace.badTitle} text={error.message} alert />;
  if (error.body.code === "over_export" && fewer) return <Card title={t.states.overTitle} text={error.message} action={t.trace.tooMuch} onAction={fewer} alert />;
  return <Failure error={error} refresh={refresh} />;
}
