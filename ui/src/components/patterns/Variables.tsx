import { VALUES, useVariables } from "../../api/queries";
import type { Window } from "../../api/client";
import type { Pattern, PatternsAnswer, Variable } from "../../api/types";
import { plainText, whole } from "../../lib/format";
import { patternLogs, withValue, type PatternsView } from "../../lib/patterns";
import { canFilter } from "../../lib/query";
import { kindOf, surroundings, type Place } from "../../lib/template";
import { t } from "../../strings";
import { Visible } from "../Visible";
import { BarList } from "./BarList";
import { Section } from "./Details";

interface Props {
  pattern: Pattern;
  view: PatternsView;
  answer: PatternsAnswer;
  window: Window & { template: string };
}

/** What stands where the template leaves it open, and how often. */
export function Variables({ window, ...rest }: Props) {
  const { data, error, isPending } = useVariables(window);
  const places = surroundings(data?.template ?? "");
  return (
    <Section title={t.patterns.variables}>
      {isPending && <p className="muted" role="status">{t.patterns.loading}…</p>}
      {error && <p role="alert">{error.message}</p>}
      {data && data.variables.length === 0 && <p className="muted">{t.patterns.noVariables}</p>}
      {data?.variables.map((one, at) => (
        <One key={at} variable={one} place={places.length === data.variables.length ? places[at] : undefined} total={data.total} {...rest} />
      ))}
      {data && data.otherwise > 0 && <p className="muted">{t.patterns.otherwise(data.otherwise)}</p>}
    </Section>
  );
}

interface OneProps extends Omit<Props, "window"> {
  variable: Variable;
  place: Place | undefined;
  total: number;
}

function One({ variable, place, total, pattern, view, answer }: OneProps) {
  const kind = kindOf(variable.kind);
  const { values, more_values: more } = variable;
  return (
    <div className="variable" data-kind={variable.kind}>
      <h3 className="variable-place">
        {place && <Visible text={place.before} />}
        <span className="varies" title={kind ? t.template.kinds[kind] : undefined}>{kind ? (t.template.names[kind] ?? kind) : variable.kind}</span>
        {place && <Visible text={place.after} />}
      </h3>
      <BarList
        total={total}
        items={values.map(({ value, count }) => {
          const text = plainText(value);
          return { key: text, text: text || t.list.empty, count, hint: t.patterns.withValue(text), to: patternLogs(pattern, view, answer, { q: withValue(view.q, text) }), off: !canFilter(value) };
        })}
      />
      {more && <p className="muted">{t.patterns.moreValues}</p>}
      {!more && values.length === VALUES && <p className="muted">{t.patterns.topValues(whole(VALUES))}</p>}
    </div>
  );
}
