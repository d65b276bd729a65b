/** The canonical bytes of a record (docs/formats/canonical-record.md), and whether a record on screen is what they say. */
import { writeJson } from "../../api/json";
import type { Attributes, Json, LogRecord, Severity } from "../../api/types";
import { absoluteNs } from "../time";
import { Broken, Reader, hex, type Bytes } from "./bytes";

const DEEPEST = 65;

export interface Canonical {
  receivedNs: bigint;
  timeNs: bigint | null;
  observedNs: bigint | null;
  severity: number;
  severityText: string;
  traceId: string | null;
  spanId: string | null;
  eventName: string;
  resource: Attributes;
  scope: LogRecord["scope"];
  body: Json;
  original: string | null;
  attributes: Attributes;
}

const string = (reader: Reader) => reader.text(reader.u32());

function id(bytes: Bytes): string | null {
  return bytes.some((one) => one !== 0) ? hex(bytes) : null;
}

function time(reader: Reader): bigint | null {
  const has = reader.u8();
  const ns = reader.i64();
  if (has > 1 || (has === 0 && ns !== 0n)) throw new Broken("a time in another form than the canonical one");
  return has === 1 ? ns : null;
}

function pairs(reader: Reader, depth: number): Attributes {
  const all: Attributes = [];
  for (let left = reader.u32(); left > 0; left--) all.push([string(reader), value(reader, depth + 1)]);
  return all;
}

/** As the API writes it: integers beyond 2^53 keep their digits, bytes are base 16, what is no number is its name. */
function value(reader: Reader, depth: number): Json {
  if (depth > DEEPEST) throw new Broken("nested too deeply");
  const tag = reader.u8();
  switch (tag) {
    case 0: return null;
    case 1: return false;
    case 2: return true;
    case 3: return integer(reader.i64());
    case 4: return double(reader.f64());
    case 5: return string(reader);
    case 6: return hex(reader.take(reader.u32()));
    case 7: return values(reader, depth);
    case 8: return Object.fromEntries(pairs(reader, depth));
    default: throw new Broken(`unknown tag ${tag}`);
  }
}

function values(reader: Reader, depth: number): Json[] {
  const all: Json[] = [];
  for (let left = reader.u32(); left > 0; left--) all.push(value(reader, depth + 1));
  return all;
}

const integer = (number: bigint): Json => (Number.isSafeInteger(Number(number)) ? Number(number) : number);
const double = (number: number): Json => (Number.isFinite(number) ? number : String(number));

function whole<T>(bytes: Bytes, read: (reader: Reader) => T): T {
  const reader = new Reader(bytes, true);
  const found = read(reader);
  reader.end();
  return found;
}

function envelope(reader: Reader) {
  const receivedNs = time(reader);
  if (receivedNs === null) throw new Broken("no time of arrival");
  const [timeNs, observedNs] = [time(reader), time(reader)];
  const [severity, severityText] = [reader.u8(), string(reader)];
  reader.u32();
  const [traceId, spanId, eventName] = [id(reader.take(16)), id(reader.take(8)), string(reader)];
  reader.u32();
  return { receivedNs, timeNs, observedNs, severity, severityText, traceId, spanId, eventName };
}

function origin(reader: Reader) {
  const resource = pairs(reader, 0);
  reader.u32();
  string(reader);
  const [name, version, attributes] = [string(reader), string(reader), pairs(reader, 0)];
  reader.u32();
  string(reader);
  return { resource, scope: { name, version, attributes } };
}

function content(reader: Reader) {
  const [body, original] = [value(reader, 0), value(reader, 0)];
  if (original !== null && typeof original !== "string") throw new Broken("an original that is no text");
  return { body, original };
}

/** The record that the bytes of the four groups say. */
export function decodeRecord(groups: Bytes[]): Canonical {
  const [first, second, third, fourth] = groups;
  if (!first || !second || !third || !fourth) throw new Broken("a record has four groups");
  return {
    ...whole(first, envelope),
    ...whole(second, origin),
    ...whole(third, content),
    attributes: whole(fourth, (reader) => pairs(reader, 0)),
  };
}

const WORDS: Severity[] = ["trace", "debug", "info", "warn", "error", "fatal"];
const word = (number: number): Severity => WORDS[Math.ceil(number / 4) - 1] ?? "unspecified";

/** The parts of a record on screen that are not what the bytes say; none is what should be. */
export function differences(shown: LogRecord, said: Canonical): string[] {
  const timeNs = said.timeNs ?? said.observedNs ?? said.receivedNs;
  const find = (name: string) => said.resource.find(([key]) => key === name)?.[1] ?? null;
  const same = (left: unknown, right: unknown) => writeJson(left) === writeJson(right);
  const stamp = (text: string, ns: bigint) => text === String(ns) || absoluteNs(text) === ns;
  const held: [string, boolean][] = [
    ["time", shown.time_ns === String(timeNs) && stamp(shown.time, timeNs)],
    ["received", stamp(shown.received, said.receivedNs)],
    ["severity", shown.severity_number === said.severity && shown.severity === word(said.severity)],
    ["severity_text", shown.severity_text === said.severityText],
    ["service", same(shown.service, find("service.name"))],
    ["body", same(shown.body, said.body)],
    ["original", shown.original === said.original],
    ["event_name", shown.event_name === said.eventName],
    ["trace_id", shown.trace_id === said.traceId],
    ["span_id", shown.span_id === said.spanId],
    ["attributes", same(shown.attributes, said.attributes)],
    ["resource", same(shown.resource, said.resource)],
    ["scope", same([shown.scope.name, shown.scope.version, shown.scope.attributes], [said.scope.name, said.scope.version, said.scope.attributes])],
  ];
  return held.filter(([, holds]) => !holds).map(([name]) => name);
}
