"""Random predicates over mesh logs: Logkeep, asked in both its languages, counts what ClickHouse counts."""

import json
import random
import subprocess

import pytest
from chdb import session

from support.mesh_fields import FIELDS
from support.predicates import FILTER, Maker, languages
from support.server import BINARY, Server
from support.wait import until

LINES = 20_000
# The last records are too few for a segment, and an hour is longer than the test. No query fails for being slow here.
SETTINGS = "flush:\n  bytes: 8MiB\n  interval: 1h\nquery:\n  timeout: 10m\n"
BODY_LINES = 2_500
# The day that the lines are of, with room on both sides.
RANGE = {"from": "2026-11-19T00:00:00Z", "to": "2026-11-22T00:00:00Z"}
FIRST = 20  # rows of an answer
BATCH = 20
VALUES = 400  # of each field, for predicates to be made from
SHOWN = 5  # differences


class Peer:
    """The same lines in ClickHouse, each field taken from the line by hand."""

    def __init__(self, folder, file):
        self.session = session.Session(str(folder))
        self.session.query("create database bench")
        self.session.query("use bench")
        columns = ", ".join(f"{how} as `{name}`" for name, (_, how) in FIELDS.items())
        lines = f"file('{file}', 'LineAsString', 'raw String')"
        self.session.query(f"create table lines engine = Memory as select raw, {columns} from {lines}")

    def rows(self, sql):
        settings = " settings output_format_json_quote_64bit_integers = 0"
        answer = self.session.query(sql + settings, "JSONCompactEachRow")
        return [json.loads(line) for line in str(answer).splitlines()]

    def counts(self, conditions):
        """Asked many at a time: a statement of this engine costs more than reading all lines once more."""
        counts = []
        for start in range(0, len(conditions), BATCH):
            some = ", ".join(f"countIf({condition})" for condition in conditions[start : start + BATCH])
            counts += self.rows(f"select {some} from lines")[0]
        return counts

    def first(self, where, order):
        sql = f"select toUnixTimestamp64Nano(time), `service.name`, body from lines where {where}"
        return self.rows(f"{sql} order by time {order} limit {FIRST}")

    def values(self, name, kind):
        """Some values of a field, the least and the greatest among them, sorted."""
        value = f"concat(replaceOne(toString({name}), ' ', 'T'), 'Z')" if kind == "time" else f"`{name}`"
        some = f"arraySlice(arraySort(x -> cityHash64(x), groupUniqArray(value)), 1, {VALUES})"
        [[values, least, greatest]] = self.rows(
            f"select {some}, min(value), max(value) from (select assumeNotNull({value}) as value from lines "
            f"where {name if kind == 'time' else f'`{name}`'} is not null)"
        )
        return sorted({*values, least, greatest})


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    file = tmp_path_factory.mktemp("lines") / "mesh.ndjson"
    bench = BINARY.with_name("logkeep-bench")
    assert bench.exists(), f"there is no {bench}: build it with `cargo build --workspace`"
    made = [str(bench), "generate", "--lines", str(LINES), "--out", str(file)]
    subprocess.run(made, check=True, capture_output=True)
    return file


@pytest.fixture(scope="module")
def filled(tmp_path_factory, lines):
    server = Server(tmp_path_factory.mktemp("filled"), SETTINGS).start()
    documents = lines.read_text().splitlines(keepends=True)
    for start in range(0, LINES, BODY_LINES):
        answer = server.ingest(documents[start : start + BODY_LINES])
        assert answer["stored"] == BODY_LINES, answer
    segments = server.data / "objects/default/default/segment"
    until(lambda: segments.is_dir() and any(segments.iterdir()), "some of the records are in a segment")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def peer(tmp_path_factory, lines):
    return Peer(tmp_path_factory.mktemp("peer") / "chdb", lines)


def test_every_field_is_read_as_the_peer_reads_it(filled, peer):
    """Otherwise a difference below says little about predicates."""
    for name, (kind, _) in FIELDS.items():
        ours = filled.sql(f'select count("{name}") from logs')["rows"][0][0]
        assert [ours] == peer.counts([f"`{name}` is not null"]), f"{name}: how many records have it"
        if kind in ("text", "prose"):
            ours = filled.sql(f'select sum(octet_length("{name}")), count(distinct "{name}") from logs')["rows"]
            assert ours == peer.rows(f"select sum(length(`{name}`)), uniqExact(`{name}`) from lines"), name


def test_random_predicates(filled, peer, say, setting):
    many = setting("E2E_PREDICATES", 100)
    seed = setting("E2E_SEED", random.randrange(1 << 32))
    values = {name: peer.values(name, kind) for name, (kind, _) in FIELDS.items()}
    chances = [random.Random(f"{seed}/{number}") for number in range(many)]
    predicates = [Maker(chance, values).predicate() for chance in chances]
    asked = [(number, way) for number, predicate in enumerate(predicates) for way in languages(predicate)]
    theirs = dict(zip(asked, peer.counts([predicates[number].peer(way) for number, way in asked]), strict=True))
    differences = []
    for (number, way), expected in theirs.items():
        predicate = predicates[number]
        ours, wrong = count(filled, predicate, way), None
        if ours != expected:
            wrong = f"{ours} records, not {expected}"
        elif way == FILTER and number % 5 == 0:
            wrong = first_rows(filled, peer, predicate, chances[number].choice(["asc", "desc"]))
        if wrong:
            texts = f"  {predicate.write(way)}\n  peer: {predicate.peer(way)}"
            differences.append(f"seed {seed}, predicate {number} as {way}: {wrong}\n{texts}")
        if len(differences) == SHOWN:
            break
    assert not differences, "\n\n".join(differences)
    some = sum(0 < expected < LINES for expected in theirs.values())
    terms = sum(len(predicate.terms()) for predicate in predicates)
    told = f"{many} predicates of {terms} terms, asked {len(asked)} times, {some} times true of some records"
    say(f"{told}: 0 differences (seed {seed})")
    assert some > len(asked) / 3, "too many predicates are true of no record or of all"


def count(filled, predicate, way):
    text = predicate.write(way)
    if way == FILTER:
        return filled.answered("/api/v1/histogram", q=text, buckets=10, **RANGE)["total"]
    return filled.sql(f"select count(*) from logs where {text}")["rows"][0][0]


def first_rows(filled, peer, predicate, order):
    """Records of the same time come in any order, and the limit cuts among those of the last one."""
    records = filled.find(predicate.write(FILTER), limit=FIRST, order=order, **RANGE)
    ours = [[int(record["time_ns"]), record["service"], record["body"]] for record in records]
    theirs = peer.first(predicate.peer(FILTER), order)
    if [row[0] for row in ours] != [row[0] for row in theirs]:
        return f"the first {FIRST} {order} are of other times"
    last = theirs[-1][0] if len(theirs) == FIRST else None
    certain = lambda rows: sorted(row for row in rows if row[0] != last)
    return None if certain(ours) == certain(theirs) else f"the first {FIRST} {order} are others"
