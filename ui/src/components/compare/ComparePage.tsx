import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { api } from "../../api/client";
import { retry, useFields } from "../../api/queries";
import type { CompareAnswer } from "../../api/types";
import { WITHS, formatCompare, hasRest, isCompareStep, otherAddress, parseCompare, type CompareView } from "../../lib/compare";
import { compact, whole } from "../../lib/format";
import { focusSearch } from "../../lib/keys";
import { useViewOf, type Codec } from "../../lib/place";
import { shift, widthText, zoomOut } from "../../lib/time";
import { logsAddress } from "../../lib/url";
import { t } from "../../strings";
import { Link } from "../Nav";
import { SlowNote } from "../Notes";
import { SearchBar } from "../SearchBar";
import { Shell, useBounds } from "../Shell";
import { Card, Failure } from "../States";
import { OneTemplate } from "../Template";
import { TimePicker } from "../TimePicker";
import { Differences } from "./Differences";
import "../../styles/compare.css";

const CODEC: Codec<CompareView> = { parse: parseCompare, format: formatCompare, isStep: isCompareStep };
const FIELDS = 50;
const VALUES = 8;

/** In which fields and values the records of a search differ from those before, or from all others. */
export function ComparePage() {
  const client = useQueryClient();
  const [view, update] = useViewOf(CODEC);
  const [run, setRun] = useState(0);
  const refresh = useCallback(() => setRun((n) => n + 1), []);
  const { q, from, to, template } = view;
  const isPossible = view.with === "before" || hasRest(view);
  const compared = useQuery({
    queryKey: ["compare", { q, from, to, template, with: view.with }, run],
    queryFn: ({ signal }) => api.compare({ q, from, to, template }, { with: view.with, limit: FIELDS, values: VALUES }, signal),
    enabled: isPossible,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    staleTime: Infinity,
    retry,
  });
  const { error, isFetching } = compared;
  const answer = isPossible && !error ? compared.data : undefined;
  const range = useBounds(view, answer);
  const fields = useFields(view, run, false, answer !== undefined);
  const keys = {
    "/": focusSearch, w: () => update({ with: view.with === "rest" ? "before" : "rest" }),
    "[": () => update(shift(range.fromNs, range.toNs, -1)), "]": () => update(shift(range.fromNs, range.toNs, 1)),
    "-": () => update(zoomOut(view, range.fromNs, range.toNs, BigInt(Date.now()) * 1_000_000n)),
  };
  return (
    <Shell
      title={t.differences.title} keys={keys} help={t.differences.keys} refresh={refresh} error={error}
      tools={
        <>
          <SearchBar view={view} update={update} fields={fields.data?.answer.fields ?? []} error={error} refresh={refresh} />
          <TimePicker view={view} update={update} range={range} />
        </>
      }
      footer={answer && <span className="footer-main">{t.differences.counted(answer.compared, answer.total + answer.other_total)}</span>}
    >
      {template !== "" && <OneTemplate view={view} update={() => update({ template: "" })} note="" />}
      <SlowNote active={isFetching} onCancel={() => void client.cancelQueries({ queryKey: ["compare"] })} />
      <main className="main" id="view">
        <section className={`list differ ${compared.isPlaceholderData ? "stale" : ""}`}>
          <h1 className="offscreen">{t.differences.title}</h1>
          <Withs view={view} update={update} />
          <div className="services-body" role="tabpanel" id="compare-body" aria-labelledby={`with-${view.with}`}>
            {error && <Failure error={error} refresh={refresh} />}
            {!isPossible && <Card title={t.differences.noRestTitle} text={t.differences.noRestText} action={t.differences.withs.before} onAction={() => update({ with: "before" })} />}
            {isPossible && !error && !answer && (isFetching
              ? <div className="state-quiet muted" role="status">{t.differences.loading}…</div>
              : <Card title={t.states.cancelled} action={t.states.retry} onAction={refresh} />)}
            {answer && <Answer view={view} update={update} answer={answer} width={widthText(range.toNs - range.fromNs)} />}
          </div>
        </section>
      </main>
    </Shell>
  );
}

interface Props {
  view: CompareView;
  update(patch: Partial<CompareView>): void;
}

/** With what it is compared. */
function Withs({ view, update }: Props) {
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowLeft: 1, ArrowRight: 1 }[event.key];
    const next = step && WITHS[(WITHS.indexOf(view.with) + step) % WITHS.length];
    if (!next) return;
    event.preventDefault();
    update({ with: next });
    document.getElementById(`with-${next}`)?.focus();
  };
  return (
    <div className="differ-withs">
      <div className="tabs" role="tablist" onKeyDown={onKeyDown}>
        {WITHS.map((one) => (
          <button
            key={one} id={`with-${one}`} type="button" role="tab" aria-selected={view.with === one} aria-controls="compare-body"
            tabIndex={view.with === one ? 0 : -1} onClick={() => update({ with: one })}
          >
            {t.differences.withs[one]}
          </button>
        ))}
      </div>
      <Link className="differ-back" to={logsAddress(view)}>{t.differences.logs}</Link>
    </div>
  );
}

function Answer({ view, update, answer, width }: Props & { answer: CompareAnswer; width: string }) {
  const other = otherAddress(view, answer);
  const words = t.differences.sides[view.with];
  const isEmpty = answer.total === 0 || answer.other_total === 0;
  return (
    <>
      <p className="differ-sides">
        <span><span className="side side-these" aria-hidden="true" /> <Link to={logsAddress(view)}>{words.these}</Link> <b title={whole(answer.total)}>{compact(answer.total)}</b></span>
        <span>
          <span className="side side-others" aria-hidden="true" /> {other === null ? words.others(width) : <Link to={other}>{words.others(width)}</Link>}{" "}
          <b title={whole(answer.other_total)}>{compact(answer.other_total)}</b>
        </span>
        <span className="muted">{t.differences.meaning}</span>
      </p>
      {answer.fields.length > 0 && <Differences view={view} update={update} answer={answer} />}
      {answer.fields.length === 0 && (
        <Card
          title={isEmpty ? t.differences.emptyTitle : t.differences.sameTitle}
          text={isEmpty ? (answer.total === 0 ? t.differences.noneHere : words.noneThere(width)) : t.differences.sameText(answer.compared)}
        />
      )}
      <LeftOut answer={answer} />
    </>
  );
}

/** What is not among what is shown, where there is any. */
function LeftOut({ answer: { more, left_out } }: { answer: CompareAnswer }) {
  const notes = [
    more > 0 && t.differences.more(more), left_out.fields > 0 && t.differences.tooMany(left_out.fields),
    left_out.records_with_more_fields > 0 && t.differences.withMore(left_out.records_with_more_fields),
  ].filter((note) => note !== false);
  return notes.length > 0 && <p className="differ-note muted" role="status">{notes.join(" ")}</p>;
}
