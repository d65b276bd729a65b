import type { SourceCounts } from "../../api/types";
import { compact, whole } from "../../lib/format";
import { FATES, missing, type Fate } from "../../lib/sources";
import { t } from "../../strings";
import { Icon } from "../Icon";

/** The equation of all that is shown: received, and what became of it. */
export function Equation({ counts, broken, tenant }: { counts: SourceCounts; broken: number; tenant: string | undefined }) {
  const gap = missing(counts);
  return (
    <section className="balance" aria-labelledby="balance-title">
      <h2 id="balance-title">{t.sources.ledger} {tenant !== undefined && <span className="muted">{t.sources.of(tenant)}</span>}</h2>
      <div className="equation">
        <dl className="terms">
          <Term name={t.sources.received} count={counts.received} />
          {FATES.map((fate, at) => <Term key={fate} name={t.sources.fates[fate]} count={counts[fate]} sign={at === 0 ? "=" : "+"} fate={fate} title={t.sources.fateTitles[fate]} />)}
          {gap !== 0 && <Term name={t.sources.missing} count={Math.abs(gap)} sign={gap > 0 ? "+" : "\u2212"} fate="missing" title={t.sources.brokenTitle} />}
        </dl>
        <span className="term-verdict"><Verdict counts={counts} some={broken} /></span>
      </div>
      <BalanceBar counts={counts} large />
      {counts.refused_requests > 0 && <p className="muted balance-note">{t.sources.refused(counts.refused_requests)}</p>}
    </section>
  );
}

interface TermProps {
  name: string;
  count: number;
  sign?: string;
  fate?: Fate | "missing";
  title?: string;
}

function Term({ name, count, sign, fate, title }: TermProps) {
  const mood = fate === "missing" ? "text-error" : fate && count === 0 ? "term-none" : "";
  return (
    <div className={`term ${mood}`} title={title}>
      <dt>
        {sign && <span className="term-sign" aria-hidden="true">{sign}</span>}
        {fate && <span className={`swatch fate-${fate}`} aria-hidden="true" />} {name}
      </dt>
      <dd>{whole(count)}</dd>
    </div>
  );
}

/** Whether it balances, or how much is missing; `some` says of how many sources it does not. */
export function Verdict({ counts, some = 0 }: { counts: SourceCounts; some?: number }) {
  if (counts.balanced && missing(counts) === 0) return <span className="verdict text-ok" title={t.sources.balancesTitle}><Icon name="check" /> {t.sources.balances}</span>;
  const text = missing(counts) === 0 && some > 0 ? t.sources.brokenSome(some) : t.sources.broken(missing(counts));
  return <strong className="verdict text-error" title={t.sources.brokenTitle}><Icon name="warn" /> {text}</strong>;
}

/** What became of it as parts of one bar, large enough to be seen where they are few; hatched is what is missing. */
export function BalanceBar({ counts, large = false }: { counts: SourceCounts; large?: boolean }) {
  const gap = Math.abs(missing(counts));
  const parts: [string, string, number][] = FATES.map((fate) => [fate, t.sources.fates[fate], counts[fate]]);
  const shown = [...parts, ["missing", t.sources.missing, gap] as [string, string, number]].filter(([, , count]) => count > 0);
  const label = `${compact(counts.received)} ${t.sources.received}${shown.map(([, name, count]) => `, ${compact(count)} ${name}`).join("")}`;
  return (
    <span className={`balance-bar ${large ? "balance-large" : ""}`} role="img" aria-label={label} title={label}>
      {shown.map(([fate, , count]) => <span key={fate} className={`fate-${fate}`} style={{ flexGrow: count }} />)}
    </span>
  );
}
