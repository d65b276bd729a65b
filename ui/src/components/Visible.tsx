import { pieces } from "../lib/format";

/** Text from a sender: characters that hide or reorder are drawn as marked escapes. */
export function Visible({ text, lines = false }: { text: string; lines?: boolean }) {
  return pieces(text, lines).map(({ text: piece, escaped }, index) =>
    escaped ? <span key={index} className="escaped">{piece}</span> : piece,
  );
}
