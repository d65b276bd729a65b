import { useTemplateText } from "../api/queries";
import { visibleLine } from "../lib/format";
import { patternsAddress } from "../lib/patterns";
import { parts } from "../lib/template";
import type { Asked, View } from "../lib/url";
import { t } from "../strings";
import { IconButton } from "./Icon";
import { Link } from "./Nav";
import { Visible } from "./Visible";

/** A template may have eight marks of seven letters for each byte of a line; who wants to see all of it opens it. */
const CUT = 400;

/** What is always the same as text, what varies as quiet marks. */
export function TemplateText({ text, whole = false }: { text: string; whole?: boolean }) {
  return (
    <bdi className="template">
      {parts(whole ? text : text.slice(0, CUT)).map(({ text: piece, kind }, at) =>
        kind === null ? <Visible key={at} text={piece} /> : <span key={at} className="varies" title={t.template.kinds[kind]}>{t.template.names[kind] ?? kind}</span>,
      )}
      {!whole && text.length > CUT && "…"}
    </bdi>
  );
}

interface OneTemplateProps {
  view: Asked & Pick<View, "template">;
  update(patch: Pick<View, "template" | "record">): void;
  /** What else is so because of it. */
  note?: string;
}

/** That there are the records of one template only. */
export function OneTemplate({ view, update, note = t.template.noTail }: OneTemplateProps) {
  const { q, from, to, template } = view;
  const text = useTemplateText(template);
  return (
    <section className="narrowed" aria-label={t.template.label} data-template={template}>
      <span className="narrowed-chip" title={visibleLine((text ?? template).slice(0, 2000))}>
        <span className="muted">{t.template.only}</span>
        <span className="ellipsis">{text === undefined ? <code>{t.template.unknown} {visibleLine(template)}</code> : <TemplateText text={text} />}</span>
        <IconButton name="close" label={t.template.remove} onClick={() => update({ template: "", record: null })} />
      </span>
      <Link to={patternsAddress({ q, from, to, open: template })}>{t.template.details}</Link>
      <span className="muted">{note}</span>
    </section>
  );
}
