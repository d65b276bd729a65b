/** Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint). */
import { Broken, byte, fromBase64, hex, sha256, utf8, type Bytes } from "./bytes";

const ED25519 = 1;

export interface Checkpoint {
  origin: string;
  size: number;
  root: string;
}

/** The text that is signed, and the signature lines. */
function parts(note: string): [string, string[]] {
  const at = note.lastIndexOf("\n\n");
  if (at < 0 || !note.endsWith("\n")) throw new Broken("no signed note");
  return [note.slice(0, at + 1), note.slice(at + 2, -1).split("\n")];
}

export function checkpointOf(note: string): Checkpoint {
  const [origin = "", size = "", root = ""] = parts(note)[0].split("\n");
  if (!/^(0|[1-9]\d{0,15})$/.test(size)) throw new Broken("a checkpoint without a size");
  return { origin, size: Number(size), root };
}

export interface Key {
  name: string;
  id: string;
  bytes: Bytes;
}

/** A public key of one line, `<name>+<id>+<base64>`. */
export async function keyOf(line: string): Promise<Key> {
  const [, name = "", id = "", encoded = ""] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(line) ?? [];
  const bytes = fromBase64(encoded);
  if (bytes.length !== 33 || bytes[0] !== ED25519) throw new Broken("no public key of Ed25519");
  const hash = await sha256(utf8(name), byte(10), bytes);
  if (hex(hash.slice(0, 4)) !== id) throw new Broken("the key is not the one that its id names");
  return { name, id, bytes: bytes.slice(1) };
}

/** Whether this browser can check signatures; null instead of an answer would look like one. */
export async function importKey(key: Key): Promise<CryptoKey | null> {
  try {
    return await crypto.subtle.importKey("raw", key.bytes, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return null;
  }
}

/** Whether the key signed the note, and no signature of it is wrong. */
export async function isSigned(note: string, key: Key, imported: CryptoKey): Promise<boolean> {
  const [text, lines] = parts(note);
  let found = false;
  for (const line of lines) {
    const [, name, encoded = ""] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    if (name === undefined) throw new Broken("a line that is no signature");
    const signature = fromBase64(encoded);
    if (name !== key.name || hex(signature.slice(0, 4)) !== key.id) continue;
    if (!(await crypto.subtle.verify({ name: "Ed25519" }, imported, signature.slice(4), utf8(text)))) return false;
    found = true;
  }
  return found;
}
