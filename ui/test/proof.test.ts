import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parseJson } from "../src/api/json";
import type { LogRecord } from "../src/api/types";
import { STEPS, checkProof, verdict, type ProofFile, type StepName } from "../src/lib/proof";
import { byte, sha256, toBase64, type Bytes } from "../src/lib/proof/bytes";
import { rootFrom } from "../src/lib/proof/tree";

/** What a real server gave; the verifier of the command line is tested against the same file. */
const fixture = (name: string) => readFileSync(new URL(`../../crates/proof/tests/fixtures/${name}.json`, import.meta.url), "utf8");
const TEXT = fixture("version-1");
const proof = () => parseJson<ProofFile>(TEXT);
/** As a browser reads it: the reviver of Node 20 does not see the digits of a number. */
const record = (): LogRecord => {
  const shown = parseJson<LogRecord>(fixture("version-1-record"));
  return { ...shown, attributes: shown.attributes.map(([key, value]) => (key === "big" ? [key, 9007199254740993n] : [key, value])) };
};
const failed = async (file: ProofFile, shown = record()) => (await checkProof(file, shown)).filter(({ outcome }) => outcome !== "held").map(({ name }) => name);

afterEach(() => vi.unstubAllGlobals());

describe("a proof of a real server", () => {
  it("holds in every step", async () => {
    const steps = await checkProof(proof(), record());
    expect(steps).toEqual(STEPS.map((name) => ({ name, outcome: "held", why: "" })));
    expect(verdict(steps)).toBe("held");
  });

  const altered = (what: string, steps: StepName[], change: (file: ProofFile) => void) =>
    it(`altered: ${what}`, async () => {
      const file = proof();
      change(file);
      expect(await failed(file)).toEqual(expect.arrayContaining(steps));
      expect(verdict(await checkProof(file, record()))).toBe("failed");
    });
  const other = (text: string) => (text.startsWith("A") ? "B" : "A") + text.slice(1);
  altered("id", ["shown", "batch"], (file) => { file.id = "default.4.2"; });
  altered("tenant", ["batch", "checkpoint"], (file) => { file.tenant = "other"; });
  altered("source", ["shown"], (file) => { file.source = null; });
  altered("time of arrival", ["shown"], (file) => { file.received_ns = "1"; });
  altered("hash of the record", ["record"], (file) => { file.record.hash = other(file.record.hash); });
  for (const at of [0, 1, 2, 3]) {
    altered(`salt ${at}`, ["record", "batch"], (file) => { file.record.groups[at]!.salt = other(file.record.groups[at]!.salt); });
    altered(`bytes ${at}`, ["record", "batch"], (file) => { file.record.groups[at]!.bytes = other(file.record.groups[at]!.bytes); });
  }
  altered("name of a group", ["record"], (file) => { file.record.groups[0]!.name = "body"; });
  altered("number of the batch", ["batch"], (file) => { file.batch.number = 3; });
  altered("index", ["batch"], (file) => { file.batch.index = 2; });
  altered("records", ["batch"], (file) => { file.batch.records = 7; });
  altered("root of the batch", ["batch"], (file) => { file.batch.root = other(file.batch.root); });
  altered("path in the batch", ["batch"], (file) => { file.batch.path[1] = other(file.batch.path[1]!); });
  altered("shorter path in the batch", ["batch"], (file) => { file.batch.path.pop(); });
  altered("longer path in the batch", ["batch"], (file) => { file.batch.path.push(file.batch.root); });
  altered("index of the leaf", ["log"], (file) => { file.leaf.index = 3; });
  altered("entry", ["batch", "log"], (file) => { file.leaf.bytes = `${file.leaf.bytes.slice(0, -8)}AAAAAAAA`; });
  altered("hash of the leaf", ["log"], (file) => { file.leaf.hash = other(file.leaf.hash); });
  altered("origin", ["log"], (file) => { file.log.origin += "x"; });
  altered("size", ["log"], (file) => { file.log.size = 7; });
  altered("root", ["log"], (file) => { file.log.root = other(file.log.root); });
  altered("path in the log", ["log"], (file) => { file.log.path[0] = other(file.log.path[0]!); });
  altered("size in the checkpoint", ["log", "signature"], (file) => { file.checkpoint = file.checkpoint.replace("\n6\n", "\n7\n"); });
  altered("origin of the checkpoint", ["log", "checkpoint", "signature"], (file) => { file.checkpoint = file.checkpoint.replace("/default\n", "/audit\n"); });
  altered("signature", ["signature"], (file) => { file.checkpoint = file.checkpoint.replace(/.{6}=\n$/, "AAAAAA=\n"); });
  altered("no signature", ["signature"], (file) => { file.checkpoint = file.checkpoint.replace(/\u2014.*\n/, ""); });
  altered("name of the key", ["checkpoint", "signature"], (file) => { file.key = file.key.replace("edc5", "edc6"); });
  altered("bytes of the key", ["signature"], (file) => { file.key = `${file.key.slice(0, -4)}AAAA`; });
});

describe("the record on screen", () => {
  const shownOther = (what: string, change: (shown: LogRecord) => void) =>
    it(`with another ${what}`, async () => {
      const shown = record();
      change(shown);
      const steps = await checkProof(proof(), shown);
      expect(steps.filter(({ outcome }) => outcome !== "held")).toEqual([{ name: "shown", outcome: "failed", why: what }]);
    });
  shownOther("body", (shown) => { shown.body = "paid in full"; });
  shownOther("time", (shown) => { shown.time_ns = "1795168800123456788"; });
  shownOther("time", (shown) => { shown.time = shown.time.replace("789Z", "788Z"); });
  shownOther("received", (shown) => { shown.received = shown.received.replace("643Z", "644Z"); });
  shownOther("severity", (shown) => { shown.severity = "info"; });
  shownOther("severity", (shown) => { shown.severity_number = 9; });
  shownOther("severity_text", (shown) => { shown.severity_text = ""; });
  shownOther("service", (shown) => { shown.service = "web"; });
  shownOther("original", (shown) => { shown.original = null; });
  shownOther("event_name", (shown) => { shown.event_name = "x"; });
  shownOther("trace_id", (shown) => { shown.trace_id = null; });
  shownOther("span_id", (shown) => { shown.span_id = "0".repeat(16); });
  // One more than the integers that a double can hold: no digit may be lost on the way.
  shownOther("attributes", (shown) => { shown.attributes[0] = ["big", 9007199254740994n]; });
  shownOther("attributes", (shown) => { shown.attributes.reverse(); });
  shownOther("resource", (shown) => { shown.resource.pop(); });
  shownOther("scope", (shown) => { shown.scope.name = "x"; });
});

describe("what cannot be computed is not green", () => {
  it("a browser without Ed25519", async () => {
    vi.spyOn(crypto.subtle, "importKey").mockRejectedValueOnce(new DOMException("", "NotSupportedError"));
    const steps = await checkProof(proof(), record());
    expect(steps.filter(({ outcome }) => outcome !== "held")).toEqual([{ name: "signature", outcome: "unchecked", why: "" }]);
    expect(verdict(steps)).toBe("unchecked");
    vi.restoreAllMocks();
  });

  it("a page without WebCrypto", async () => {
    vi.stubGlobal("crypto", {});
    expect(verdict(await checkProof(proof(), record()))).toBe("unchecked");
  });

  it("nothing", () => expect(verdict([])).toBe("unchecked"));
});

/** RFC 6962, 2.1 and 2.1.1, word for word. */
async function naive(leaves: Bytes[]): Promise<Bytes> {
  if (leaves.length === 1) return leaves[0]!;
  const half = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return sha256(byte(1), await naive(leaves.slice(0, half)), await naive(leaves.slice(half)));
}

async function pathTo(index: number, leaves: Bytes[]): Promise<Bytes[]> {
  if (leaves.length === 1) return [];
  const half = 2 ** Math.floor(Math.log2(leaves.length - 1));
  const [left, right] = [leaves.slice(0, half), leaves.slice(half)];
  return index < half ? [...(await pathTo(index, left)), await naive(right)] : [...(await pathTo(index - half, right)), await naive(left)];
}

describe("paths", () => {
  it("lead to the root from every leaf of every small tree, and from no other", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => sha256(byte(0), byte(n))));
    for (let size = 1; size <= all.length; size++) {
      const leaves = all.slice(0, size);
      const root = toBase64(await naive(leaves));
      for (let index = 0; index < size; index++) {
        const path = await pathTo(index, leaves);
        expect(toBase64(await rootFrom(leaves[index]!, index, size, path))).toBe(root);
        const wrong = await rootFrom(leaves[index]!, (index + 1) % size, size, path).catch(() => null);
        if (size > 1) expect(wrong && toBase64(wrong)).not.toBe(root);
      }
    }
  });

  it("of trees beyond 32 bits are no other trees", async () => {
    const leaf = await sha256();
    const siblings = (n: number) => Array.from({ length: n }, () => leaf);
    await expect(rootFrom(leaf, 2 ** 40 + 1, 2 ** 41, siblings(41))).resolves.toHaveLength(32);
    await expect(rootFrom(leaf, 2 ** 40 + 1, 2 ** 41, siblings(9))).rejects.toThrow("too short");
    await expect(rootFrom(leaf, 2 ** 41, 2 ** 41, siblings(41))).rejects.toThrow("no leaf");
  });
});
