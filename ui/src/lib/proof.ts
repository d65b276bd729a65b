/**
 * Checks the proof of one record (docs/formats/record-proof.md), step by step, with nothing of the server's but the file. A step that
 * could not be checked is said to be unchecked: only what was computed here is green.
 */
import type { LogRecord } from "../api/types";
import { Broken, byte, fromBase64, joined, sha256, toBase64, type Bytes } from "./proof/bytes";
import { decodeRecord, differences } from "./proof/canonical";
import { checkpointOf, importKey, isSigned, keyOf } from "./proof/note";
import { decodeEntry, leafHash, rootFrom } from "./proof/tree";

export interface ProofFile {
  format: string;
  version: number;
  state: "sealed";
  id: string;
  tenant: string;
  source: string | null;
  received_ns: string;
  record: { hash: string; groups: { name: string; salt: string; bytes: string }[] };
  batch: { number: number; index: number; records: number; root: string; path: string[] };
  leaf: { index: number; bytes: string; hash: string };
  log: { origin: string; size: number; root: string; path: string[] };
  checkpoint: string;
  key: string;
}

export interface PendingProof {
  state: "pending";
  id: string;
  retry_after_s: number;
}

export const STEPS = ["shown", "record", "batch", "log", "checkpoint", "signature"] as const;
export type StepName = (typeof STEPS)[number];
export type Outcome = "held" | "failed" | "unchecked";

export interface Step {
  name: StepName;
  outcome: Outcome;
  /** What failed, in words; empty where there is nothing to say. */
  why: string;
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Broken(what);
}

const GROUPS = ["envelope", "resource", "body", "attributes"];

function groupsOf(file: ProofFile): Bytes[] {
  must(file.record.groups.map(({ name }) => name).join() === GROUPS.join(), "a record has four groups");
  return file.record.groups.map(({ bytes }) => fromBase64(bytes));
}

/** The hash of the record from its canonical bytes and salts. */
async function recordHash(file: ProofFile): Promise<Bytes> {
  const groups = groupsOf(file);
  const hashes = await Promise.all(groups.map(async (bytes, at) => {
    const salt = fromBase64(file.record.groups[at]?.salt ?? "");
    must(salt.length === 16, "a salt has 16 bytes");
    return sha256(byte(at + 1), salt, at === 1 ? await sha256(bytes) : bytes);
  }));
  return sha256(byte(0x52), joined(...hashes));
}

function checkShown(file: ProofFile, shown: LogRecord): void {
  must(file.id === shown.id, `the proof is of ${file.id}`);
  const said = decodeRecord(groupsOf(file));
  const different = differences(shown, said);
  must(different.length === 0, different.join(", "));
  must(file.received_ns === String(said.receivedNs), "received_ns");
  must(file.source === (said.resource.find(([key, value]) => key === "logkeep.source" && typeof value === "string")?.[1] ?? null), "source");
}

async function checkRecord(file: ProofFile): Promise<void> {
  must(toBase64(await recordHash(file)) === file.record.hash, "the bytes have another hash");
}

async function checkBatch(file: ProofFile): Promise<void> {
  const { number, index, records, root, path } = file.batch;
  const entry = decodeEntry(fromBase64(file.leaf.bytes));
  must(`${entry.class}.${entry.batch}.${index}` === file.id && entry.tenant === file.tenant, "the entry is of another batch");
  must(BigInt(number) === entry.batch && records === entry.records && root === entry.root, "the entry says something else of the batch");
  const received = BigInt(file.received_ns);
  must(entry.receivedNs[0] <= received && received <= entry.receivedNs[1], "the entry has other times");
  const computed = await rootFrom(await leafHash(await recordHash(file)), index, records, path.map(fromBase64));
  must(toBase64(computed) === entry.root, "the path leads to another root");
}

async function checkLog(file: ProofFile): Promise<void> {
  const { origin, size, root, path } = file.log;
  const checkpoint = checkpointOf(file.checkpoint);
  must(origin === checkpoint.origin && size === checkpoint.size && root === checkpoint.root, "the checkpoint is another");
  must(file.leaf.index === file.batch.number, "the leaf is of another batch");
  const leaf = await leafHash(fromBase64(file.leaf.bytes));
  must(toBase64(leaf) === file.leaf.hash, "the entry has another hash");
  must(toBase64(await rootFrom(leaf, file.leaf.index, size, path.map(fromBase64))) === checkpoint.root, "the path leads to another root");
}

async function checkCheckpoint(file: ProofFile): Promise<void> {
  const { name } = await keyOf(file.key);
  const expected = `logkeep/${name.replace(/^logkeep-/, "")}/${file.tenant}/${file.id.split(".")[0]}`;
  must(checkpointOf(file.checkpoint).origin === expected, `it is of another log than ${expected}`);
}

async function checkSignature(file: ProofFile): Promise<Outcome> {
  const key = await keyOf(file.key);
  const imported = await importKey(key);
  if (!imported) return "unchecked";
  must(await isSigned(file.checkpoint, key, imported), "the key did not sign this checkpoint");
  return "held";
}

/** Checks a proof of the record that is shown. Every step is computed, also where one before has failed. */
export async function checkProof(file: ProofFile, shown: LogRecord): Promise<Step[]> {
  // Pages that came unencrypted from another host have no WebCrypto.
  if (globalThis.crypto?.subtle === undefined) return STEPS.map((name) => ({ name, outcome: "unchecked", why: "" }));
  const checks: Record<StepName, () => unknown> = {
    shown: () => checkShown(file, shown),
    record: () => checkRecord(file),
    batch: () => checkBatch(file),
    log: () => checkLog(file),
    checkpoint: () => checkCheckpoint(file),
    signature: () => checkSignature(file),
  };
  return Promise.all(STEPS.map(async (name): Promise<Step> => {
    try {
      const outcome = await checks[name]();
      return { name, outcome: outcome === "unchecked" ? "unchecked" : "held", why: "" };
    } catch (error) {
      return { name, outcome: "failed", why: error instanceof Error ? error.message : String(error) };
    }
  }));
}

/** What all steps together come to. */
export function verdict(steps: Step[]): Outcome {
  if (steps.some(({ outcome }) => outcome === "failed")) return "failed";
  return steps.length === STEPS.length && steps.every(({ outcome }) => outcome === "held") ? "held" : "unchecked";
}
