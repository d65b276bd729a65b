/** Bytes as proofs have them: base64, SHA-256, and reading from the front. Needs a browser that offers WebCrypto here. */

export type Bytes = Uint8Array<ArrayBuffer>;

/** A step that does not hold, in words for the reader. */
export class Broken extends Error {}

export function fromBase64(text: string): Bytes {
  let decoded: string;
  try {
    decoded = atob(text);
  } catch {
    throw new Broken("not base64");
  }
  const bytes = Uint8Array.from(decoded, (char) => char.charCodeAt(0));
  // Other forms of the same bytes would let a file be altered unnoticed.
  if (toBase64(bytes) !== text) throw new Broken("not canonical base64");
  return bytes;
}

export function toBase64(bytes: Bytes): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export function joined(...parts: Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export async function sha256(...parts: Bytes[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

export const byte = (value: number): Bytes => Uint8Array.of(value);
export const utf8 = (text: string): Bytes => new TextEncoder().encode(text);
export const hex = (bytes: Bytes): string => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");

/** Reads from the front; what ends early or has bytes left over is refused. */
export class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Bytes, private readonly littleEndian: boolean) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(length: number): Bytes {
    if (this.at + length > this.bytes.length) throw new Broken("the bytes end early");
    this.at += length;
    return this.bytes.slice(this.at - length, this.at);
  }

  private moved(length: number): number {
    this.take(length);
    return this.at - length;
  }

  u8 = () => this.view.getUint8(this.moved(1));
  u32 = () => this.view.getUint32(this.moved(4), this.littleEndian);
  i64 = () => this.view.getBigInt64(this.moved(8), this.littleEndian);
  f64 = () => this.view.getFloat64(this.moved(8), this.littleEndian);

  text(length: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(length));
    } catch (error) {
      throw error instanceof Broken ? error : new Broken("text is not UTF-8");
    }
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new Broken("there are bytes left over");
  }
}
