import { useOnePattern, usePatternHistogram } from "../../api/queries";
import { SEVERITIES, type Pattern, type PatternsAnswer } from "../../api/types";
import { writeJson } from "../../api/json";
import { move } from "../../lib/keys";
import { askedBy, patternLogs, rangeOf, type PatternsView } from "../../lib/patterns";
import { clauseFor, toggleClause } from "../../lib/query";
import { absoluteRange, localStamp, toRfc3339 } from "../../lib/time";
import { t } from "../../strings";
import { Histogram } from "../Histogram";
import { Icon, IconButton } from "../Icon";
import { LongText } from "../LongText";
import { Link } from "../Nav";
import { CopyButton } from "../RecordPanel";
import { TemplateText } from "../Template";
import { BarList } from "./BarList";
import { FirstSeen } from "./FirstSeen";
import { ChangeText } from "./Table";
import { Variables } from "./Variables";

interface Props {
  view: PatternsView;
  update(patch: Partial<PatternsView>): void;
  /** Undefined if it is not among those that are listed. */
  pattern: Pattern | undefined;
  answer: PatternsAnswer;
}

/** Everything about one template. */
export function Details({ view, update, pattern: listed, answer }: Props) {
  const fetched = useOnePattern(view, answer, listed === undefined);
  const pattern = listed ?? fetched.data ?? undefined;
  return (
    <aside className="panel" aria-label={t.patterns.panel}>
      <div className="panel-head">
        <div className="panel-title"><span className="panel-service">{t.patterns.panel}</span></div>
        <span className="panel-tools">
          <IconButton name="up" label={t.patterns.previous} onClick={() => move("up")} />
          <IconButton name="down" label={t.patterns.next} onClick={() => move("down")} />
          <CopyButton label={t.record.copyLink} icon="link" text={() => window.location.href} />
          <IconButton name="close" label={t.trace.close} onClick={() => update({ open: "" })} />
        </span>
      </div>
      <div className="panel-body" tabIndex={0} role="region" aria-label={t.patterns.panel}>
        {pattern
          ? <Body key={askedBy(pattern)} view={view} update={update} pattern={pattern} answer={answer} />
          : <p className="muted" role="status">{fetched.isPending ? `${t.patterns.loading}…` : fetched.error ? fetched.error.message : t.patterns.notHere}</p>}
      </div>
    </aside>
  );
}

interface BodyProps extends Omit<Props, "pattern"> {
  pattern: Pattern;
}

function Body({ view, update, pattern, answer }: BodyProps) {
  const window = { q: view.q, ...rangeOf(pattern, answer), template: askedBy(pattern) };
  const histogram = usePatternHistogram(window);
  const narrow = (field: string, value: string) => update({ q: toggleClause(view.q, clauseFor(field, value)) });
  const severities = [...SEVERITIES].reverse().flatMap((name) => (pattern.severity[name] ? [{ name, count: pattern.severity[name] }] : []));
  const counted = pattern.count > 0 ? pattern.count : (pattern.before ?? 0);
  return (
    <>
      <div className="message pattern-whole"><TemplateText text={pattern.template} whole /></div>
      <p className="trace buttons">
        <Link className="button primary" to={patternLogs(pattern, view, answer)}><Icon name="lines" /> {t.patterns.logs}</Link>
        <CopyButton label={t.patterns.copy} text={() => pattern.template} />
      </p>
      <Facts pattern={pattern} answer={answer} />
      <section className="panel-section pattern-histogram">
        <Histogram
          answer={histogram.data} failed={histogram.isError} stale={false} of={{ label: t.patterns.trend, count: t.records }}
          onZoom={(from, to) => update(absoluteRange(from, to))}
        />
      </section>
      {severities.length > 0 && (
        <Section title={t.patterns.severities}>
          <BarList total={counted} items={severities.map(({ name, count }) => ({ key: name, text: name, count, colour: name, hint: t.patterns.narrow(name), pick: () => narrow("severity", name) }))} />
        </Section>
      )}
      <Section title={t.patterns.heads.services}>
        <BarList
          total={counted}
          items={pattern.services.map(({ service, count }) => ({ key: service, text: service || t.services.noName, count: pattern.count > 0 ? count : null, hint: t.patterns.narrow(service), pick: () => narrow("service.name", service), off: service === "" }))}
        />
        {pattern.more_services > 0 && <p className="muted">{t.patterns.servicesLeft(pattern.more_services)}</p>}
      </Section>
      <Variables pattern={pattern} view={view} answer={answer} window={window} />
      {pattern.example && <Example pattern={pattern} example={pattern.example} view={view} answer={answer} />}
    </>
  );
}

function Facts({ pattern, answer }: Pick<BodyProps, "pattern" | "answer">) {
  const heads = t.patterns.facts;
  const last = BigInt(pattern.last_ns);
  return (
    <dl className="facts facts-wide">
      <div><dt>{heads.count}</dt><dd>{t.patterns.countOf(pattern.count, answer.total)}</dd></div>
      <div><dt>{heads.change}</dt><dd><ChangeText one={pattern} /></dd></div>
      <div><dt>{heads.first}</dt><dd><FirstSeen ns={pattern.first_seen_ns} long /></dd></div>
      <div><dt>{heads.last}</dt><dd><time dateTime={toRfc3339(last)} title={t.time.utc(toRfc3339(last))}>{localStamp(last)}</time></dd></div>
    </dl>
  );
}

export function Section({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section className="panel-section">
      <div className="section-head"><h2>{title}</h2></div>
      {children}
    </section>
  );
}

function Example({ pattern, example, view, answer }: Omit<BodyProps, "update"> & { example: NonNullable<Pattern["example"]> }) {
  const text = typeof example.body === "string" ? example.body : writeJson(example.body, 2);
  return (
    <Section title={t.patterns.example}>
      <LongText className="message" text={text} />
      <p className="trace"><Link className="pattern-link" to={patternLogs(pattern, view, answer, { record: example.id })}>{t.patterns.openExample}</Link></p>
    </Section>
  );
}
