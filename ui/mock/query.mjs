/** Enough of the query language for the mock: words, field:value, quotes, wildcards, ranges, and/or/not, parentheses. */

export class QueryError extends Error {
  constructor(message, position, length, expected = []) {
    super(message);
    Object.assign(this, { position, length, expected });
  }
}

function lex(q) {
  const tokens = [];
  const chars = [...q];
  for (let i = 0; i < chars.length; ) {
    const start = i;
    const c = chars[i];
    if (/\s/.test(c)) { i++; continue; }
    if ("()".includes(c)) { tokens.push({ kind: c, start, end: ++i }); continue; }
    if (":<>=".includes(c)) {
      i += chars[i + 1] === "=" && c !== ":" ? 2 : 1;
      tokens.push({ kind: "op", text: chars.slice(start, i).join(""), start, end: i });
      continue;
    }
    let text = "";
    if (c === '"') {
      for (i++; chars[i] !== '"'; i++) {
        if (i >= chars.length) throw new QueryError('the quote is not closed: add `"`', start, chars.length - start, ['"']);
        if (chars[i] === "\\") { i++; text += { n: "\n", r: "\r", t: "\t" }[chars[i]] ?? chars[i]; } else text += chars[i];
      }
      tokens.push({ kind: "quoted", text, start, end: ++i });
      continue;
    }
    while (i < chars.length && !/[\s"():<>=]/.test(chars[i])) text += chars[i] === "\\" ? chars[++i] : chars[i], i++;
    tokens.push({ kind: "word", text, start, end: i });
  }
  return tokens;
}

export function parse(q) {
  const tokens = lex(q);
  const length = [...q].length;
  let at = 0;
  const keyword = (word) => tokens[at]?.kind === "word" && tokens[at].text.toLowerCase() === word;
  const either = () => {
    let left = both();
    while (keyword("or")) { at++; const a = left, b = both(); left = (r) => a(r) || b(r); }
    return left;
  };
  const both = () => {
    let left = one();
    while (at < tokens.length && !keyword("or") && tokens[at].kind !== ")") {
      if (keyword("and")) at++;
      const a = left, b = one();
      left = (r) => a(r) && b(r);
    }
    return left;
  };
  const one = () => {
    const token = tokens[at];
    if (!token) throw new QueryError("expected a word, a field or `(`", length, 1, ["word"]);
    if (keyword("not")) { at++; const inner = one(); return (r) => !inner(r); }
    at++;
    if (token.kind === "(") {
      const inner = either();
      if (tokens[at]?.kind !== ")") throw new QueryError("the parenthesis is not closed", token.start, 1, [")"]);
      at++;
      return inner;
    }
    if (token.kind === "op" || token.kind === ")") throw new QueryError(`did not expect \`${q.slice(token.start, token.end)}\` here`, token.start, 1, ["word"]);
    if (tokens[at]?.kind !== "op") return words(token);
    const op = tokens[at++];
    if (tokens[at]?.kind === "(") return anyOf(token.text, op.text);
    const value = tokens[at++];
    if (!value || (value.kind !== "word" && value.kind !== "quoted")) throw new QueryError(`expected a value after \`${op.text}\``, op.end, 1, ["value"]);
    return compare(token.text, op.text, value);
  };
  /** `field:(a or b)`, and no more than that. */
  const anyOf = (field, op) => {
    const tests = [];
    for (at++; tokens[at] && tokens[at].kind !== ")"; at++) if (!keyword("or")) tests.push(compare(field, op, tokens[at]));
    at++;
    return (r) => tests.some((test) => test(r));
  };
  if (tokens.length === 0) return () => true;
  const result = either();
  if (at < tokens.length) throw new QueryError("there is no `(` for this", tokens[at].start, 1);
  return result;
}

function words(token) {
  const wanted = token.text.toLowerCase();
  const pattern = token.kind === "word" ? glob(wanted) : null;
  return (r) => {
    const text = (typeof r.body === "string" ? r.body : JSON.stringify(r.body) ?? "").toLowerCase();
    return pattern && wanted.includes("*") ? text.split(/\W+/).some((word) => pattern.test(word)) : text.includes(wanted);
  };
}

const glob = (text) => new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*")}$`, "is");

/** What only spans have. */
const OF_SPANS = {
  "span.name": (s) => s.name, "span.kind": (s) => s.kind, "span.parent_id": (s) => s.parent_span_id, "span.status.code": (s) => s.status_code,
  "span.duration_ns": (s) => (s.duration_ms === null ? null : Math.round(s.duration_ms * 1e6)),
};

export function valuesOf(record, field) {
  const ofSpan = record.span_id && OF_SPANS[field]?.(record);
  if (ofSpan !== undefined && ofSpan !== null) return [ofSpan];
  if (field === "service") return [record.service];
  if (["severity", "severity_text", "trace_id", "span_id", "event_name", "body"].includes(field)) {
    const value = record[field];
    return value === null || value === "" ? [] : [value];
  }
  return [...record.attributes, ...record.resource].filter(([name]) => name === field).map(([, value]) => value);
}

function compare(field, op, token) {
  if (op !== ":" && op !== "=") {
    const wanted = Number(token.text);
    const test = { ">": (v) => v > wanted, "<": (v) => v < wanted, ">=": (v) => v >= wanted, "<=": (v) => v <= wanted }[op];
    return (r) => valuesOf(r, field).some((v) => typeof v === "number" && test(v));
  }
  const pattern = token.kind === "word" && token.text.includes("*") ? glob(token.text) : null;
  return (r) => valuesOf(r, field).some((v) => v !== null && (pattern ? pattern.test(String(v)) : String(v) === token.text));
}
