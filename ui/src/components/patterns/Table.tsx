import { memo, useEffect, useRef, useState } from "react";
import type { Pattern, PatternsAnswer } from "../../api/types";
import { compact, visibleLine, whole } from "../../lib/format";
import { useFirst } from "../../lib/hooks";
import { MOVE, type Move } from "../../lib/keys";
import { askedBy, changeOf, type PatternsView, type Sort } from "../../lib/patterns";
import { t } from "../../strings";
import { Icon } from "../Icon";
import { TemplateText } from "../Template";
import { Visible } from "../Visible";
import { FirstSeen } from "./FirstSeen";
import { Trend } from "./Trend";

interface Props {
  patterns: readonly Pattern[];
  view: PatternsView;
  update(patch: Partial<PatternsView>): void;
  answer: PatternsAnswer;
  sort(by: Sort): void;
}

export function PatternTable({ patterns, view, update, answer, sort }: Props) {
  const cursor = useCursor(patterns, view.open, (open) => update({ open }));
  const pick = (one: Pattern) => update({ open: isOpen(one, view.open) ? "" : askedBy(one) });
  const head = { view, sort };
  const shown = useFirst(patterns, FIRST_ROWS);
  return (
    <div className="table services-table patterns-table" role="region" aria-label={t.pages.patterns} tabIndex={0} data-rows={patterns.length}>
      <table>
        <caption className="offscreen">{t.pages.patterns}</caption>
        <thead>
          <tr>
            <th scope="col">{t.patterns.heads.template}</th>
            <Head {...head} by="count" />
            <th scope="col">{t.patterns.heads.trend}</th>
            <Head {...head} by="change" />
            <Head {...head} by="first" />
            <th scope="col">{t.patterns.heads.services}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => {
            const key = askedBy(one);
            return <Row key={key} one={one} total={answer.total} open={isOpen(one, view.open)} active={view.open === "" ? cursor === key : isOpen(one, view.open)} pick={pick} />;
          })}
        </tbody>
      </table>
    </div>
  );
}

function isOpen(one: Pattern, open: string): boolean {
  return open !== "" && (askedBy(one) === open || one.template === open);
}

function Head({ by, view, sort }: { by: Sort; view: PatternsView; sort(by: Sort): void }) {
  const name = t.patterns.heads[by];
  const here = view.sort === by;
  return (
    <th scope="col" className={by === "count" ? "number" : ""} aria-sort={here ? (view.turned ? "ascending" : "descending") : undefined}>
      <button type="button" className="sort" title={t.services.sortBy(name)} onClick={() => sort(by)}>
        {name}
        <span className={here ? "" : "sort-none"}><Icon name={here && view.turned ? "up" : "down"} /></span>
      </button>
    </th>
  );
}

interface RowProps {
  one: Pattern;
  total: number;
  open: boolean;
  active: boolean;
  pick(one: Pattern): void;
}

/** More than a screen has. */
const FIRST_ROWS = 60;
/** As many as fit on a line; the details have all. */
const SERVICES = 3;

const Row = memo(function Row({ one, total, open, active, pick }: RowProps) {
  const { template, services } = one;
  const bySelection = () => window.getSelection()?.isCollapsed === false;
  return (
    <tr className={active ? "row-active" : ""} data-pattern={askedBy(one)} onClick={() => { if (!bySelection()) pick(one); }}>
      <th scope="row" className="pattern-template">
        <button type="button" className="plain" aria-expanded={open} title={visibleLine(template.slice(0, 1000))}>{template === "" ? <i className="muted">{t.list.empty}</i> : <TemplateText text={template} />}</button>
      </th>
      <Count one={one} total={total} />
      <td className="pattern-trend"><Trend one={one} /></td>
      <td className="pattern-change"><ChangeText one={one} /></td>
      <td className="pattern-first"><span className="narrow-label">{t.patterns.heads.first}</span> <FirstSeen ns={one.first_seen_ns} /></td>
      <td className="pattern-services muted">
        <span className="ellipsis" title={services.map(({ service }) => visibleLine(service.slice(0, 80))).join(", ")}>
          {services.slice(0, SERVICES).map(({ service }, at) => <span key={service}>{at > 0 && ", "}<bdi><Visible text={service.slice(0, 80) || t.services.noName} /></bdi></span>)}
          {services.length + one.more_services > SERVICES && ` ${t.patterns.moreServices(services.length + one.more_services - SERVICES)}`}
        </span>
      </td>
    </tr>
  );
}, (before, after) => before.one === after.one && before.total === after.total && before.open === after.open && before.active === after.active);

function Count({ one: { count, before }, total }: { one: Pattern; total: number }) {
  const share = total === 0 ? 0 : count / total;
  const title = before === null ? t.records(count) : t.patterns.countTitle(count, before, t.services.percent(share));
  return (
    <td className="number pattern-count" title={title}>
      <span className="pattern-share">
        {compact(count)} <span className="muted unit">{t.services.percent(share)}</span>
        <span className="requests-bar" style={{ width: `${share * 100}%` }} aria-hidden="true" />
      </span>
    </td>
  );
}

export function ChangeText({ one }: { one: Pattern }) {
  if (one.before === null) return <span className="muted">–</span>;
  const change = changeOf({ count: one.count, before: one.before });
  const title = t.patterns.changeTitle(whole(one.count), whole(one.before));
  return <span className={`pattern-${change.kind}`} title={title} data-change={change.kind}>{t.patterns.change(change, one.before)}</span>;
}

/** The row that the keyboard is on: a template and not a number, so it stays when the order changes. */
function useCursor(patterns: readonly Pattern[], open: string, show: (asked: string) => void): string | null {
  const [cursor, setCursor] = useState<string | null>(null);
  // Where it is already, though it is not drawn yet: keys may come faster.
  const at = useRef<string | null>(null);
  const latest = useRef({ patterns, open, show });
  latest.current = { patterns, open, show };
  useEffect(() => {
    const onMove = (event: Event) => {
      const now = latest.current;
      const step = (event as CustomEvent<Move>).detail;
      const from = now.patterns.findIndex((one) => (now.open ? isOpen(one, now.open) : askedBy(one) === at.current));
      const to = step === "top" ? 0 : Math.min(now.patterns.length - 1, Math.max(0, from + (step === "down" ? 1 : step === "up" ? -1 : 0)));
      const target = now.patterns[to];
      if (!target) return;
      at.current = askedBy(target);
      setCursor(at.current);
      document.querySelectorAll("[data-pattern]")[to]?.scrollIntoView({ block: "nearest" });
      if (step === "open" || (now.open && step !== "top")) now.show(askedBy(target));
    };
    document.addEventListener(MOVE, onMove);
    return () => document.removeEventListener(MOVE, onMove);
  }, []);
  return cursor;
}
