/** Line icons drawn here, so that no icon font or sprite is loaded. They say nothing to a screen reader. */
const PATHS = {
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.5 10.5 14 14",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3 8.5 6.5 12 13 4.5",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  columns: "M2.5 3h11v10h-11zM6.5 3v10M10.5 3v10",
  stack: "M3 13.5v-5h2.5v5zM6.8 13.5v-11h2.5v11zM10.6 13.5V6h2.5v7.5zM6.8 8h2.5",
  bookmark: "M4 2.5h8v11L8 10.5l-4 3z",
  save: "M8 2.5v7M5 7l3 3 3-3M2.5 11v2.5h11V11",
  edit: "M3 13l.6-2.8L10.8 3l2.2 2.2-7.2 7.2zM9.3 4.5l2.2 2.2",
  compare: "M3 13V7M6.5 13V3M10 13V9.5M13.5 13V5",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 4.8V8l2.2 1.6",
  left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5",
  up: "M3 10l5-5 5 5",
  down: "M3 6l5 5 5-5",
  zoomOut: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.5 10.5 14 14M5 7h4",
  back: "M6 3 2.5 6.5 6 10M2.5 6.5H10a3.5 3.5 0 0 1 0 7H7",
  play: "M4.5 3v10l8-5z",
  pause: "M5 3v10M11 3v10",
  refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3.2h-3.2",
  theme: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  filter: "M2 3.5h12L9.5 9v4.5l-3-1.5V9z",
  link: "M6.5 9.5l3-3M7 4.8 8.8 3a3 3 0 0 1 4.2 4.2L11.2 9M9 11.2 7.2 13A3 3 0 0 1 3 8.8L4.8 7",
  help: "M6 6a2 2 0 1 1 2.8 1.8c-.6.3-.8.7-.8 1.4M8 11.6v.4",
  leave: "M6.5 2.5h-4v11h4M6 8h7.5M10.5 5l3 3-3 3",
  locked: "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  unlocked: "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5-.6",
  lines: "M2.5 4h11M2.5 8h11M2.5 12h6",
  trace: "M2 3.5h8M5 8h7M7 12.5h7",
  scatter: "M2.5 2.5v11h11M5.5 10.5v.1M7.5 6.5v.1M10 9v.1M12 4.5v.1",
  warn: "M8 2.5 14.5 13.5h-13zM8 6.5v3.5M8 11.8v.4",
  fold: "M4 6.5 8 3l4 3.5M4 9.5 8 13l4-3.5",
  command: "M3 4.5 6.5 8 3 11.5M8 12h5",
  keys: "M2 4.5h12v7H2zM4.5 7h.5M7.5 7h.5M10.5 7h.5M5 9.3h6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

interface IconButtonProps {
  name: IconName;
  label: string;
  onClick: (event: React.MouseEvent) => void;
  pressed?: boolean;
  disabled?: boolean;
  className?: string;
}

export function IconButton({ name, label, onClick, pressed, disabled, className = "" }: IconButtonProps) {
  return (
    <button
      type="button" className={`icon-button ${className}`} aria-label={label} title={label} onClick={onClick}
      aria-pressed={pressed} disabled={disabled}
    >
      <Icon name={name} />
    </button>
  );
}
