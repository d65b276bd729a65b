import { useMutation } from "@tanstack/react-query";
import { api } from "../api/client";
import type { LogRecord } from "../api/types";
import { askedBy, momentOf, templateOf } from "../lib/patterns";
import type { View } from "../lib/url";
import { t } from "../strings";
import { Icon } from "./Icon";

/** Records of one service at one nanosecond have few templates. */
const LIMIT = 100;

/** Leads to all records of the same template. Which one that is the server is asked for only then: no record says it. */
export function LikeThis({ record, update }: { record: LogRecord; update(patch: Partial<View>): void }) {
  const look = useMutation({
    mutationFn: async () => templateOf(record, (await api.patterns(momentOf(record), { limit: LIMIT, buckets: 1 })).patterns),
    onSuccess: (found) => { if (found) update({ template: askedBy(found), q: "", record: null }); },
    networkMode: "always",
  });
  return (
    <p className="trace buttons">
      <button type="button" className="button" disabled={look.isPending} onClick={() => look.mutate()}><Icon name="lines" /> {t.template.like}</button>
      <span className="muted" role="status">
        {look.isPending && `${t.template.looking}…`}
        {look.data === null && t.template.noTemplate}
        {look.error?.message}
      </span>
    </p>
  );
}
