"""The proof of a record, checked by an implementation of RFC 6962 and signed notes that shares no code with Logkeep."""

import base64
import hashlib
import json
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support.people import CLOSED, administrator, person
from support.server import BINARY, EVERYTHING, Server
from support.wait import until

MASKED = "  masked: [user.email]\n"
GROUPS = ["envelope", "resource", "body", "attributes"]


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_from(leaf, index, size, path):
    """RFC 9162, 2.1.3.2."""
    assert index < size
    place, last, at = index, size - 1, leaf
    for sibling in path:
        assert last > 0, "the path is too long"
        if place & 1 or place == last:
            at = sha(b"\1", sibling, at)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            at = sha(b"\1", at, sibling)
        place, last = place >> 1, last >> 1
    assert last == 0, "the path is too short"
    return at


def signed(note, key):
    """The lines of a note that this key signed."""
    name, key_id, encoded = key.split("+", 2)
    public = base64.b64decode(encoded, validate=True)
    assert hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex() == key_id
    text, _, signatures = note.rpartition("\n\n")
    [line] = [line for line in signatures.splitlines() if line.startswith(f"\u2014 {name} ")]
    signature = base64.b64decode(line.split(" ")[2], validate=True)
    assert signature[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], (text + "\n").encode())
    return text.split("\n")


def entry_of(data):
    assert data[0] == 1
    names, at = [], 1
    for _ in range(2):
        names.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    batch, records = int.from_bytes(data[at : at + 8]), int.from_bytes(data[at + 8 : at + 12])
    return {"tenant": names[0], "class": names[1], "batch": batch, "records": records, "root": data[at + 44 :]}


def check(proof, key):
    """Raises unless the proof holds; gives the bytes of the groups."""
    decode = lambda text: base64.b64decode(text, validate=True)
    assert (proof["format"], proof["version"], proof["state"]) == ("logkeep-record-proof", 1, "sealed")
    assert [group["name"] for group in proof["record"]["groups"]] == GROUPS
    groups = [decode(group["bytes"]) for group in proof["record"]["groups"]]
    salts = [decode(group["salt"]) for group in proof["record"]["groups"]]
    said = [groups[0], sha(groups[1]), groups[2], groups[3]]
    hashes = [sha(bytes([number]), salt, data) for number, salt, data in zip(range(1, 5), salts, said, strict=True)]
    record = sha(b"\x52", *hashes)
    assert record == decode(proof["record"]["hash"])
    entry = entry_of(decode(proof["leaf"]["bytes"]))
    batch, log = proof["batch"], proof["log"]
    assert proof["id"] == f"{entry['class']}.{entry['batch']}.{batch['index']}"
    assert (batch["number"], batch["records"], proof["tenant"]) == (entry["batch"], entry["records"], entry["tenant"])
    assert root_from(sha(b"\0", record), batch["index"], batch["records"], [decode(h) for h in batch["path"]]) == entry["root"]
    leaf = sha(b"\0", decode(proof["leaf"]["bytes"]))
    assert proof["key"] == key
    origin, size, root = signed(proof["checkpoint"], key)[:3]
    assert origin.split("/")[2:] == [entry["tenant"], entry["class"]]
    assert (log["origin"], log["size"], log["root"]) == (origin, int(size), root)
    assert root_from(leaf, entry["batch"], int(size), [decode(h) for h in log["path"]]) == decode(root)
    assert int(proof["received_ns"]) == int.from_bytes(groups[0][1:9], "little")
    return groups


def proof_of(server, record_id):
    """The text of it, as soon as a checkpoint covers the record."""

    def sealed():
        answer = server.get(f"/api/v1/logs/{record_id}/proof")
        assert answer.status == 200, answer.text
        if answer.json()["state"] == "sealed":
            return answer.text
        assert (answer.json()["id"], answer.json()["retry_after_s"]) == (record_id, 1)
        return None

    return until(sealed, f"{record_id} is in a checkpoint", 30, 0.2)


def public_key(server):
    return (server.data / "tlog" / "public-key").read_text().strip()


def verify(path, *options):
    """`logkeep verify --proof`, where there is no data folder."""
    command = [str(BINARY), "verify", "--proof", str(path), *options]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def proven(server, query, some=slice(None)):
    """Proves the records that a question finds, by their ids."""
    key, proofs = public_key(server), {}
    for record in server.find(query)[some]:
        text = proof_of(server, record["id"])
        groups = check(json.loads(text), key)
        assert groups[2].startswith(b"\5" + len(record["body"]).to_bytes(4, "little") + record["body"].encode())
        assert json.loads(text)["source"] == "127.0.0.1"
        proofs[record["id"]] = text
    assert proofs
    return proofs


def test_small_and_large_batches_over_restarts_and_merges(make_server, word, tmp_path):
    """A leaf of one record and of thousands, live and in segments; what was proven stays proven by the file alone."""
    server = make_server().start()
    server.ingest([{"message": f"{word} alone"}])
    server.ingest([{"message": f"{word} many {n}", "n": n} for n in range(5_000)])
    first = proven(server, f"{word} alone") | proven(server, f"{word} many", slice(0, None, 1_250))
    sizes = {json.loads(text)["batch"]["records"] for text in first.values()}
    assert 1 in sizes and max(sizes) >= 1_000, sizes
    for round_ in range(9):
        for n in range(20):
            server.ingest([{"message": f"{word} round {round_} {n} {part}"} for part in range(n % 4 + 1)])
        server.stop()
        server.start()
    status = lambda: server.answered("/api/v1/logs", q=word, **EVERYTHING)["stats"]["segments"]
    until(lambda: status() < 8, "segments are merged", 60, 0.5)
    later = proven(server, f"{word} alone") | proven(server, f"{word} many", slice(0, None, 1_250))
    assert later.keys() == first.keys()
    for record_id, text in later.items():
        before, after = json.loads(first[record_id]), json.loads(text)
        assert [before[part] for part in ("record", "batch", "leaf", "key")] == [after[part] for part in ("record", "batch", "leaf", "key")]
        assert after["log"]["size"] >= 180 > before["log"]["size"]
    proven(server, f"{word} round", slice(0, None, 40))
    key = public_key(server)
    for text in (*first.values(), *later.values()):
        (tmp_path / "proof.json").write_text(text)
        assert verify(tmp_path / "proof.json", "--key", key)[0] == 0


def test_the_command_says_what_is_proven_or_where_it_fails(server, word, tmp_path):
    server.ingest([{"message": word}])
    [record] = server.find(word)
    text = proof_of(server, record["id"])
    proof, file = json.loads(text), tmp_path / "proof.json"
    file.write_text(text)
    code, said = verify(file)
    assert code == 0, said
    for part in (record["id"], proof["record"]["hash"], proof["log"]["root"], proof["log"]["origin"], proof["key"], "compare the key"):
        assert part in said, f"{part} in {said}"
    assert f"{proof['log']['size']} entries" in said and proof["key"].split("+")[1] in said
    code, said = verify(file, "--key", public_key(server))
    assert code == 0 and "the key is the one that was given" in said
    other = "logkeep-0011223344556677+0d3a5d4d+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    assert verify(file, "--key", other)[0] == 1
    # A byte of each part; every bit of every byte is for the tests of the verifier itself.
    for place in range(0, len(text), 37):
        altered = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        file.write_text(altered)
        code, said = verify(file)
        assert code == 1 and ("NOT PROVEN `" in said), f"byte {place}: {said}"
    file.write_text("")
    assert verify(file)[0] == 1
    assert verify(tmp_path / "none")[0] == 1


def test_spans_and_what_is_not_there(server, word):
    for record_id in ("default.0.0", "audit.0.0", "default.99.0"):
        answer = server.get(f"/api/v1/logs/{record_id}/proof")
        assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found"), record_id
    assert server.get("/api/v1/logs/nonsense/proof").status == 400
    span = {"traceId": "1" * 32, "id": "2" * 16, "name": word, "timestamp": 1_795_168_800_000_000, "duration": 5}
    with server.connect() as connection:
        assert connection.post("/zipkin/api/v2/spans", json.dumps([span]), {"content-type": "application/json"}).status == 202
    [found] = server.answered("/api/v1/spans", **EVERYTHING)["spans"]
    check(json.loads(proof_of(server, found["id"])), public_key(server))


def test_it_is_in_the_audit_trail(server, word):
    server.ingest([{"message": word}])
    [record] = server.find(word)
    proof_of(server, record["id"])
    rows = lambda: server.answered("/api/v1/audit", object=f"logs/{record['id']}/proof")["rows"]
    until(lambda: any(row["rows"] == 1 and row["outcome"] == "answered" for row in rows()), "a row that says what was read")
    assert {row["action"] for row in rows()} == {"query"}


SECRET = "alice@wonder.example"


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("proof"), settings=CLOSED + MASKED).start()
    root = administrator(server)
    made = {
        "server": server,
        "ann": person(server, root, "ann", "analyst"),
        "eve": person(server, root, "eve", "engineer", scope={"services": ["cart", "web"]}),
        "cat": person(server, root, "cat", "analyst", scope={"services": ["cart"]}),
    }
    server.ingest([{"service": "cart", "message": "secret", "user.email": SECRET}, {"service": "cart", "message": "plain"}])
    server.ingest([{"service": "cart", "message": "mixed"}, {"service": "web", "message": "others"}])
    yield made
    server.stop()


@pytest.mark.parametrize(
    ("who", "message", "expected"),
    [
        ("ann", "secret", None), ("ann", "plain", None), ("ann", "mixed", None),
        ("eve", "secret", "fields of this one are masked"), ("eve", "plain", None), ("eve", "mixed", None),
        ("cat", "secret", None), ("cat", "plain", None), ("cat", "mixed", "services or classes that you may not see"),
    ],
)
def test_nobody_gets_more_than_they_may_see(people, who, message, expected):
    records = people["ann"].call("GET", "/logs?from=-1h").json()["records"]
    [record_id] = [record["id"] for record in records if record["body"] == message]

    def settled():
        answer = people[who].call("GET", f"/logs/{record_id}/proof")
        return answer if answer.status != 200 or answer.json()["state"] == "sealed" else None

    answer = until(settled, "a checkpoint", 30, 0.2)
    if expected is None:
        assert answer.status == 200, answer.text
        check(answer.json(), public_key(people["server"]))
    else:
        assert (answer.status, answer.json()["error"]["code"]) == (403, "withheld"), answer.text
        assert expected in answer.text and SECRET not in answer.text


def test_what_is_out_of_scope_is_not_there(people):
    records = people["ann"].call("GET", "/logs?from=-1h").json()["records"]
    [record_id] = [record["id"] for record in records if record["body"] == "others"]
    answer = people["cat"].call("GET", f"/logs/{record_id}/proof")
    assert answer.status == 404, "whether there is such a record is not told"


def test_what_was_altered_is_named(make_server, word):
    """Never a wrong proof: an altered bundle, tile or checkpoint is an error that says which."""
    server = make_server().start()
    for n in range(3):
        server.ingest([{"message": f"{word} {n}"}])
    record_id = server.find(word)[0]["id"]
    proof_of(server, record_id)
    log = server.data / "tlog" / "default" / "default"
    for folder, expected in (("tile/entries", "tiles of"), ("tile/0", "tiles of"), ("checkpoint", "checkpoint of")):
        place = log / folder
        files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
        kept = {path: path.read_bytes() for path in files}
        for path, data in kept.items():
            path.write_bytes(bytes(byte ^ 1 for byte in data))
        answer = server.get(f"/api/v1/logs/{record_id}/proof")
        for path, data in kept.items():
            path.write_bytes(data)
        assert (answer.status, answer.json()["error"]["code"]) == (500, "damaged"), f"{folder}: {answer.text}"
        assert expected in answer.text and "logkeep verify" in answer.text, answer.text
    check(json.loads(proof_of(server, record_id)), public_key(server))
