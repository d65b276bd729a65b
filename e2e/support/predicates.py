"""Random predicates over the bench's lines, each written three times: as a filter, as Logkeep's SQL, as ClickHouse's.

What a record lacks is where languages differ. In SQL a comparison with it is unknown, and so is its negation; in a
filter the term does not hold, so its negation does. So a predicate is written for ClickHouse twice: as it is, for SQL,
and with every term made false where it is unknown, for the filter. Whole texts are compared in any letter case by a
filter and exactly by SQL.
"""

import re
from dataclasses import dataclass

from .mesh_fields import FIELDS, SEVERITIES

FILTER, SQL = "filter", "sql"
DEPTH = 3
# Of the filter language.
RESERVED = {"and", "or", "not"}
COMPARE = ["<", "<=", ">", ">="]
FAMILY = 3  # a severity's word stands for its number and this many more


# How each language writes a value.


def quoted(text):
    """A phrase of the filter language."""
    for sign, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(sign, escape)
    return f'"{text}"'


def word(text):
    """As an unquoted word where it can be one."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*|\d+(\.\d+)?", text) and text.lower() not in RESERVED
    return text if plain else quoted(text)


def sql_text(text):
    return "'" + text.replace("'", "''") + "'"


def peer_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def peer_time(at):
    return f"parseDateTime64BestEffort('{at}', 9, 'UTC')"


def like(text):
    """`text` as part of a pattern of LIKE, standing for itself."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def bounds(phrase):
    """Regular expressions for what must stand before and behind a phrase, so that it cuts no token."""
    other = r"[^\p{L}\p{N}_]"
    start = f"(?:^|{other})" if re.match(r"\w", phrase[0]) else ""
    end = f"(?:$|{other})" if re.match(r"\w", phrase[-1]) else ""
    return start, end


@dataclass(frozen=True)
class Field:
    name: str

    @property
    def filter(self):
        return self.name if re.fullmatch(r"[\w.@-]+", self.name) else quoted(self.name)

    @property
    def sql(self):
        return f'"{self.name}"'

    @property
    def peer(self):
        return f"`{self.name}`"


@dataclass(frozen=True)
class Term:
    """One condition. `peer_filter` and `peer_sql` are ClickHouse's words for what the other two mean. A condition that
    one of the languages cannot say is None there."""

    filter: str | None
    sql: str | None
    peer_filter: str | None
    peer_sql: str | None

    def write(self, language):
        return self.filter if language == FILTER else self.sql

    def peer(self, language):
        return f"ifNull({self.peer_filter}, 0)" if language == FILTER else f"({self.peer_sql})"

    def terms(self):
        return [self]


@dataclass(frozen=True)
class Not:
    part: object

    def write(self, language):
        return f"not ({self.part.write(language)})"

    def peer(self, language):
        return f"not ({self.part.peer(language)})"

    def terms(self):
        return self.part.terms()


@dataclass(frozen=True)
class Joined:
    sign: str
    parts: tuple

    def write(self, language):
        return "(" + f" {self.sign} ".join(part.write(language) for part in self.parts) + ")"

    def peer(self, language):
        return "(" + f" {self.sign} ".join(part.peer(language) for part in self.parts) + ")"

    def terms(self):
        return [term for part in self.parts for term in part.terms()]


def same(filter, sql, peer):
    return Term(filter, sql, peer, peer)


def languages(predicate):
    """Those that can say it."""
    return [way for way in (FILTER, SQL) if all(term.write(way) is not None for term in predicate.terms())]


class Maker:
    """Makes predicates from values that the lines have, or nearly have. `values` are those of each field, sorted."""

    def __init__(self, chance, values):
        self.chance = chance
        self.values = values
        # What only one of the two can say would leave little for both if it were everywhere.
        self.only = chance.choice([None, None, None, FILTER, SQL])

    def predicate(self, depth=DEPTH):
        draw = self.chance.random()
        if depth == 0 or draw < 0.3:
            return self.term()
        if draw < 0.45:
            return Not(self.predicate(depth - 1))
        sign = self.chance.choice(["and", "or"])
        return Joined(sign, tuple(self.predicate(depth - 1) for _ in range(self.chance.choice([2, 2, 3]))))

    def term(self):
        if self.only and self.chance.random() < 0.4:
            return self.only_filter() if self.only == FILTER else self.only_sql()
        if self.chance.random() < 0.06:
            return self.anywhere()
        name = self.chance.choice(["body", "time", "severity", *FIELDS])
        field, kind = Field(name), FIELDS[name][0]
        if kind != "severity" and self.chance.random() < 0.06:
            return same(f"{field.filter}:*", f"{field.sql} is not null", f"{field.peer} is not null")
        return getattr(self, kind)(field)

    # Values.

    def known(self, field):
        return self.chance.choice(self.values[field.name])

    def near(self, field):
        """A text of the field, or one at its edge, or one that no record has."""
        known, values = self.known(field), self.values[field.name]
        edges = [values[0], values[-1], known[:-1], known + "0", known.swapcase(), "", "none-has-this", "ünïcode ß"]
        return known if self.chance.random() < 0.6 else self.chance.choice(edges)

    def number_near(self, field):
        known, values = self.known(field), self.values[field.name]
        edges = [values[0], values[-1], values[0] - 1, values[-1] + 1, known + 0.5, -known, 0, 9_007_199_254_740_993]
        return known if self.chance.random() < 0.6 else self.chance.choice(edges)

    def piece(self, text, shape=r"[A-Za-z0-9][A-Za-z0-9./_-]*"):
        """A part of a text that needs no quotes, or a piece that is in none."""
        runs = re.findall(shape, text) or ["nowhere"]
        run = self.chance.choice(runs)
        start = self.chance.randrange(len(run))
        return run[start : start + self.chance.randint(1, 12)]

    # Terms by kind of field.

    def text(self, field):
        shape = self.chance.choice([self.equals, self.equals, self.among, self.ordered, self.shaped, self.fits])
        return shape(field)

    def equals(self, field):
        value = self.near(field)
        write = self.chance.choice([word, quoted])
        sign = self.chance.choice(["=", "=", "<>"])
        exact = f"{field.peer} {sign} {peer_text(value)}"
        # `<>` is unknown where the field is missing, and the filter's `not` is true there.
        missing = "" if sign == "=" else f" or {field.peer} is null"
        loose = f"lowerUTF8({field.peer}) {sign} {peer_text(value.lower())}{missing}"
        filter = f"{field.filter}:{write(value)}"
        return Term(filter if sign == "=" else f"not {filter}", f"{field.sql} {sign} {sql_text(value)}", loose, exact)

    def among(self, field):
        values = [self.near(field) for _ in range(self.chance.randint(1, 4))]
        exact = " or ".join(f"{field.peer} = {peer_text(value)}" for value in values)
        loose = " or ".join(f"lowerUTF8({field.peer}) = {peer_text(value.lower())}" for value in values)
        return Term(
            f"{field.filter}:({' or '.join(quoted(value) for value in values)})",
            f"{field.sql} in ({', '.join(sql_text(value) for value in values)})",
            loose,
            f"({exact})",
        )

    def ordered(self, field):
        value, sign = self.near(field), self.chance.choice(COMPARE)
        if not value or re.match(r"[-+.]?\d", value):
            return self.equals(field)  # A filter compares what reads as a number as one.
        peer = f"{field.peer} {sign} {peer_text(value)}"
        return same(f"{field.filter} {sign} {quoted(value)}", f"{field.sql} {sign} {sql_text(value)}", peer)

    def shaped(self, field):
        part = self.piece(self.known(field))
        start, end = self.chance.choice([("", "*"), ("*", ""), ("*", "*")])
        escaped, pattern = re.sub(r"([^A-Za-z0-9])", r"\\\1", part), like(part)
        if part.isalnum() and self.chance.random() < 0.3:  # One character may be any.
            at = self.chance.randrange(len(part))
            escaped, pattern = f"{part[:at]}?{part[at + 1 :]}", f"{part[:at]}_{part[at + 1 :]}"
        pattern = f"{'%' * bool(start)}{pattern}{'%' * bool(end)}"
        return Term(
            f"{field.filter}:{start}{escaped}{end}",
            f"{field.sql} like {sql_text(pattern)}",
            f"lowerUTF8({field.peer}) like {peer_text(pattern.lower())}",
            f"{field.peer} like {peer_text(pattern)}",
        )

    def fits(self, field):
        text = self.known(field)
        part = re.escape(self.piece(text))
        regex = self.chance.choice(
            [part, f"^{part}", f"{part}$", f"(?i){part.upper()}", f"{part}.", f"({part}|nothing)", "[0-9]{3,}",
             f"{part}[a-z]*", "^[^ ]+$", "a.c", "-[0-9a-f]{4,}", "(?i)ERR|WARN"]
        )  # fmt: skip
        # ClickHouse lets `.` match a line feed unless told otherwise.
        peer = f"match({field.peer}, {peer_text('(?-s)' + regex)})"
        slashes = regex.replace("/", "\\/")
        return same(f"{field.filter}:/{slashes}/", f"regexp_like({field.sql}, {sql_text(regex)})", peer)

    def prose(self, field):
        shape = self.chance.choice(["phrase", "phrase", "within", "regex"])
        if shape == "regex":
            return self.fits(field)
        text = self.known(field)
        if shape == "within":
            part = self.piece(text)
            escaped = re.sub(r"([^A-Za-z0-9])", r"\\\1", part)
            peer = f"positionCaseInsensitiveUTF8({field.peer}, {peer_text(part)}) > 0"
            return same(f"{field.filter}:*{escaped}*", f"{field.sql} ilike {sql_text('%' + like(part) + '%')}", peer)
        phrase = self.phrase(text)
        return same(
            f"{field.filter}:{self.chance.choice([word, quoted])(phrase)}",
            f"match_phrase({field.sql}, {sql_text(phrase)})",
            self.contains(field.peer, phrase),
        )

    def phrase(self, text):
        """Some words of a text, or most of them, or with the last one cut."""
        words = text.split(" ")
        start = self.chance.randrange(len(words))
        phrase = " ".join(words[start : start + self.chance.choice([1, 1, 2, 3])]).strip() or "nowhere"
        draw = self.chance.random()
        if draw < 0.15:
            return phrase.upper()
        return phrase[:-1] if draw < 0.3 and len(phrase) > 1 else phrase

    def contains(self, column, phrase):
        start, end = bounds(phrase)
        return f"match({column}, {peer_text(f'(?i){start}{re.escape(phrase)}{end}')})"

    def anywhere(self):
        """Free text: the message, and the line itself, which has every value that was sent."""
        known = self.known(Field(self.chance.choice(["body", "trace_id", "k8s.pod.name", "mesh.request_id"])))
        phrase = self.chance.choice(re.findall(r"[A-Za-z0-9]{5,}", known) or ["nowhere"])
        columns = ["original", "body"]
        sql = " or ".join(f"coalesce(match_phrase({column}, {sql_text(phrase)}), false)" for column in columns)
        peer = " or ".join(f"ifNull({self.contains(column, phrase)}, 0)" for column in ["raw", "`body`"])
        return same(quoted(phrase), f"({sql})", f"({peer})")

    def number(self, field):
        value = self.number_near(field)
        shape = self.chance.choice(["=", "<>", "in", "between", *COMPARE])
        if shape == "in":
            values = [self.number_near(field) for _ in range(self.chance.randint(1, 4))]
            any_of = " or ".join(f"{field.peer} = {value}" for value in values)
            listed = ", ".join(map(str, values))
            return same(
                f"{field.filter}:({' or '.join(map(str, values))})", f"{field.sql} in ({listed})", f"({any_of})"
            )
        if shape == "between":
            return self.between(field, str, value, self.number_near(field))
        if shape == "<>":
            return Term(
                f"not {field.filter}:{value}",
                f"{field.sql} <> {value}",
                f"{field.peer} <> {value} or {field.peer} is null",
                f"{field.peer} <> {value}",
            )
        colon = ":" if shape == "=" else f" {shape} "
        return same(f"{field.filter}{colon}{value}", f"{field.sql} {shape} {value}", f"{field.peer} {shape} {value}")

    # What one of the languages cannot say.

    def any_of(self, kind):
        return Field(self.chance.choice([name for name, (its, _) in FIELDS.items() if its == kind]))

    def only_filter(self):
        field, sign = self.any_of("text"), self.chance.choice(COMPARE)
        shape = self.chance.choice(["numbers", "epoch", "severity"])
        if shape == "epoch":
            at = self.chance.choice(self.values["time"])
            day = int(at[8:10]) - 20  # of November 2026, which began its 20th at this second:
            h, m, rest = at[11:-1].split(":")
            ns = (1_795_132_800 + day * 86_400 + int(h) * 3_600 + int(m) * 60) * 10**9 + int(rest.replace(".", ""))
            return Term(f"time {sign} {ns}", None, f"toUnixTimestamp64Nano(time) {sign} {ns}", None)
        if shape == "severity":
            name = self.chance.choice(list(SEVERITIES))
            return Term(f'level:("{name}" or 9)', None, f"severity in (9, {SEVERITIES[name]}, "
                        f"{SEVERITIES[name] + 1}, {SEVERITIES[name] + 2}, {SEVERITIES[name] + 3})", None)  # fmt: skip
        # A number on the right side compares texts that read as numbers, and no others. `7e99999` is none.
        field = self.chance.choice([field, Field("network.protocol.version")])
        number = self.chance.choice(["1.1", "1.05", "2", "0", "-1", "1e3"])
        value = f"toFloat64OrNull({field.peer})"
        reads = f"if(match({field.peer}, '^[-+]?[0-9.][0-9.eE+-]*$') and isFinite({value}), {value}, null)"
        return Term(f"{field.filter} {sign} {number}", None, f"{reads} {sign} {number}", None)

    def only_sql(self):
        text, number, sign = self.any_of("text"), self.any_of("number"), self.chance.choice(["=", "<>", *COMPARE])
        value, limit = self.near(text), self.number_near(number)
        known, message, at = self.known(text), self.near(Field("body")), self.known(Field("time"))
        names = self.chance.sample(list(SEVERITIES), 2)
        level = "transform(severity, [1, 5, 9, 13, 17, 21], ['trace', 'debug', 'info', 'warn', 'error', 'fatal'], '')"
        other = self.any_of("number")
        n, m = number, other
        both = [
            (f"body {sign} {sql_text(message)}", f"body {sign} {peer_text(message)}"),
            (f"{sql_text(known)} = {text.sql}", f"{peer_text(known)} = {text.peer}"),
            (f"{limit} {sign} {n.sql}", f"{limit} {sign} {n.peer}"),
            (f"{n.sql} {sign} {m.sql}", f"{n.peer} {sign} {m.peer}"),
            (f"{n.sql} + {m.sql} {sign} {limit}", f"{n.peer} + {m.peer} {sign} {limit}"),
            (f"{text.sql} not in ({sql_text(value)}, {sql_text(known)})",
             f"{text.peer} <> {peer_text(value)} and {text.peer} <> {peer_text(known)}"),
            (f"{text.sql} is distinct from {sql_text(known)}",
             f"{text.peer} <> {peer_text(known)} or {text.peer} is null"),
            (f"lower({text.sql}) = {sql_text(known.lower())}", f"lower({text.peer}) = {peer_text(known.lower())}"),
            (f"coalesce({text.sql}, 'none') = 'none'", f"coalesce({text.peer}, 'none') = 'none'"),
            (f"({text.sql} = {sql_text(known)}) is not true", f"ifNull({text.peer} = {peer_text(known)}, 0) = 0"),
            (f"length({text.sql}) {sign} {len(known)}", f"lengthUTF8({text.peer}) {sign} {len(known)}"),
            (f"severity {sign} {sql_text(names[0])}", f"{level} {sign} '{names[0]}'"),
            (f"severity not in ({sql_text(names[0])}, {sql_text(names[1])})",
             f"{level} not in ('{names[0]}', '{names[1]}')"),
            (f"timestamp {sql_text(at)} {sign} time", f"{peer_time(at)} {sign} time"),
            (f"case when {text.sql} = {sql_text(known)} then {n.sql} > 0 else {m.sql} > 0 end",
             f"if(ifNull({text.peer} = {peer_text(known)}, 0), {n.peer} > 0, {m.peer} > 0)"),
        ]  # fmt: skip
        sql, peer = self.chance.choice(both)
        return Term(None, f"({sql})", None, peer)

    def between(self, field, filter, a, b, sql=str, peer=str):
        """With both ends, or without either."""
        if a > b and self.chance.random() < 0.8:
            a, b = b, a
        if self.chance.random() < 0.5:
            return same(
                f"{field.filter}:[{filter(a)} to {filter(b)}]",
                f"{field.sql} between {sql(a)} and {sql(b)}",
                f"({field.peer} >= {peer(a)} and {field.peer} <= {peer(b)})",
            )
        return same(
            f"{field.filter}:{{{filter(a)} to {filter(b)}}}",
            f"({field.sql} > {sql(a)} and {field.sql} < {sql(b)})",
            f"({field.peer} > {peer(a)} and {field.peer} < {peer(b)})",
        )

    def severity(self, field):
        name = self.chance.choice(list(SEVERITIES))
        number, sign = SEVERITIES[name], self.chance.choice(["=", "=", *COMPARE])
        if sign == "=":
            low, high = number, number + FAMILY
            peer = f"{field.peer} between {low} and {high}"
            return same(f"{field.filter}:{name}", f"{field.sql} = {sql_text(name)}", peer)
        bound = number + FAMILY if sign in (">", "<=") else number
        return same(f"{field.filter}{sign}{name}", f"severity_number {sign} {bound}", f"{field.peer} {sign} {bound}")

    def time(self, field):
        """Times are texts here: RFC 3339 in UTC with nine digits, which sort as times do."""
        moment = lambda: self.chance.choice([self.known(field), self.known(field), "1999-01-01T00:00:00.000000000Z"])
        sql, peer = (lambda at: f"timestamp {sql_text(at)}"), peer_time
        if self.chance.random() < 0.5:
            return self.between(field, quoted, moment(), moment(), sql, peer)
        sign, at = self.chance.choice(["=", *COMPARE]), moment()
        colon = ":" if sign == "=" else f" {sign} "
        return same(
            f"{field.filter}{colon}{quoted(at)}", f"{field.sql} {sign} {sql(at)}", f"{field.peer} {sign} {peer(at)}"
        )
