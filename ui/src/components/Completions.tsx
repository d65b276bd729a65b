import type { Completion } from "../lib/completion";

interface CompletionsProps {
  id: string;
  title: string;
  items: Completion[];
  active: number;
  onPick(item: Completion): void;
}

/** What may be written at the caret, under the field that has it. */
export function Completions({ id, title, items, active, onPick }: CompletionsProps) {
  return (
    <div className="popover completions">
      <div className="popover-title">{title}</div>
      <ul role="listbox" id={id} aria-label={title}>
        {items.map((item, index) => (
          <li
            key={item.label} id={`${id}-${index}`} role="option" aria-selected={index === active}
            onPointerDown={(event) => { event.preventDefault(); onPick(item); }}
          >
            <bdi className="completion-label">{item.label}</bdi>
            {item.note && <span className="completion-note">{item.note}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
