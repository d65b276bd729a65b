/** Trees of hashes (RFC 6962) and the entry of a batch (docs/formats/transparency-log.md). */
import { Broken, Reader, byte, sha256, toBase64, type Bytes } from "./bytes";

export const leafHash = (data: Bytes) => sha256(byte(0), data);
const nodeHash = (left: Bytes, right: Bytes) => sha256(byte(1), left, right);
const half = (number: number) => Math.floor(number / 2);

/** The root to which a path leads from leaf `index` of `size`: RFC 9162, 2.1.3.2. Sizes go beyond what bit operators take. */
export async function rootFrom(leaf: Bytes, index: number, size: number, path: Bytes[]): Promise<Bytes> {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) throw new Broken(`a tree of ${size} has no leaf ${index}`);
  let [place, last, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) throw new Broken("the path is too long");
    if (place % 2 === 1 || place === last) {
      hash = await nodeHash(sibling, hash);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      hash = await nodeHash(hash, sibling);
    }
    [place, last] = [half(place), half(last)];
  }
  if (last !== 0) throw new Broken("the path is too short");
  return hash;
}

export interface Entry {
  tenant: string;
  class: string;
  batch: bigint;
  records: number;
  receivedNs: [bigint, bigint];
  root: string;
}

export function decodeEntry(bytes: Bytes): Entry {
  const reader = new Reader(bytes, false);
  const version = reader.u8();
  if (version !== 1) throw new Broken(`an entry of version ${version}`);
  const name = () => reader.text(reader.u8());
  const [tenant, class_, batch, records] = [name(), name(), reader.i64(), reader.u32()];
  reader.take(16);
  const receivedNs: [bigint, bigint] = [reader.i64(), reader.i64()];
  const root = toBase64(reader.take(32));
  reader.end();
  return { tenant, class: class_, batch, records, receivedNs, root };
}
