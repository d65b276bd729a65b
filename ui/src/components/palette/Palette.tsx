import { useEffect, useId, useMemo, useRef, useState } from "react";
import { visibleLine } from "../../lib/format";
import { matching, type Command } from "../../lib/palette";
import { go } from "../../lib/place";
import { t } from "../../strings";
import { Visible } from "../Visible";
import { useCommands } from "./useCommands";
import "../../styles/palette.css";

/** One field that leads to everything: what is typed chooses among pages, services, saved views, times and what the page can do. */
export function Palette({ onClose }: { onClose(): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const { commands, faults } = useCommands(text);
  const sections = useMemo(() => matching(commands, text), [commands, text]);
  const all = sections.flatMap((section) => section.commands);
  const at = Math.min(active, all.length - 1);
  useEffect(() => { if (!dialog.current?.open) dialog.current?.showModal(); }, []);
  useEffect(() => { list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }); }, [at, sections]);

  const carryOut = (command: Command | undefined, beside: boolean) => {
    if (!command) return;
    // Closed first, so that what had the focus has it again, and a command may give it to something else.
    dialog.current?.close();
    onClose();
    if (command.to === undefined) command.run?.();
    else if (beside) window.open(command.to, "_blank", "noopener");
    else go(command.to);
  };
  const onKey = (event: React.KeyboardEvent) => {
    const steps: { [key: string]: number } = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: Math.min(at + 8, all.length - 1), PageUp: Math.max(at - 8, 0) };
    const next = steps[event.key];
    if (next !== undefined) setActive((next + all.length) % Math.max(all.length, 1));
    else if (event.key === "Enter" && !event.nativeEvent.isComposing) carryOut(all[at], event.ctrlKey || event.metaKey);
    else return;
    event.preventDefault();
  };
  const place = new Map(all.map((command, index) => [command, index]));
  return (
    <dialog className="palette" ref={dialog} onClose={onClose} aria-label={t.palette.title} onClick={(event) => { if (event.target === dialog.current) dialog.current.close(); }}>
      <div className="palette-inside">
        <input
          type="text" role="combobox" autoFocus spellCheck={false} autoComplete="off" placeholder={t.palette.placeholder} aria-label={t.palette.title} value={text}
          aria-expanded="true" aria-controls={id} aria-autocomplete="list" aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
          onChange={(event) => { setText(event.target.value); setActive(0); }} onKeyDown={onKey}
        />
        <div className="palette-list" role="listbox" id={id} ref={list} aria-label={t.palette.list}>
          {sections.map((section) => (
            <div key={section.section} role="group" aria-label={t.palette.sections[section.section]}>
              <div className="palette-section" aria-hidden="true">{t.palette.sections[section.section]}</div>
              {section.commands.map((command) => (
                <Option
                  key={command.id} id={`${id}-${place.get(command)}`} command={command} active={place.get(command) === at}
                  onPick={(event) => carryOut(command, event.ctrlKey || event.metaKey)}
                />
              ))}
            </div>
          ))}
        </div>
        {faults.map((fault) => <p key={fault} className="palette-fault" role="status">{fault}</p>)}
        <p className="palette-hints" aria-hidden="true">
          {t.palette.hints.map(([keys, meaning]) => <span key={keys}>{keys.split(" ").map((key) => <kbd key={key}>{key}</kbd>)} {meaning}</span>)}
        </p>
        <p className="offscreen" role="status">{t.palette.shown(all.length)}</p>
      </div>
    </dialog>
  );
}

interface OptionProps {
  id: string;
  command: Command;
  active: boolean;
  onPick(event: React.MouseEvent): void;
}

function Option({ id, command, active, onPick }: OptionProps) {
  const { label, note = "", keys } = command;
  return (
    <div id={id} role="option" aria-selected={active} className="palette-option" data-command={command.id} title={visibleLine(note === "" ? label : `${label} · ${note}`)} onClick={onPick}>
      <bdi className="palette-label"><Visible text={label} /></bdi>
      {note !== "" && <bdi className="palette-note"><Visible text={note} /></bdi>}
      {keys && <kbd>{keys}</kbd>}
    </div>
  );
}
