"""What takes two people, and breaking the glass, over HTTP and from the command line."""

import hashlib
import os
import re
import subprocess
import threading

import pytest
from cryptography.exceptions import InvalidSignature
from support.notes import verified
from support.people import CLOSED, PASSWORD, Client, administrator, approved, decide, machine, person
from support.server import BINARY

REASON = "the store is on fire"
NOTES = (
    'select event_name, "enduser.id", "audit.object", "audit.request", "audit.hash", "audit.statement", "audit.key", body from audit '
    "where event_name like 'audit.approval.%' or event_name like 'audit.break_glass.%' order by time"
)


@pytest.fixture
def server(make_server):
    return make_server(settings=CLOSED).start()


@pytest.fixture
def root(server):
    return administrator(server)


@pytest.fixture
def bob(server, root):
    return person(server, root, "bob", "administrator")


def set_user(who, name, *roles, disabled=False):
    return who.call("PUT", f"/users/{name}", {"roles": roles, "disabled": disabled})


def trail(auditor):
    answer = auditor.call("POST", "/sql", {"sql": NOTES})
    assert answer.status == 200, answer.text
    names = ["event", "by", "object", "request", "hash", "statement", "key", "body"]
    return [dict(zip(names, row)) for row in answer.json()["rows"]]


def waiting(who):
    return who.call("GET", "/approvals").json()["approvals"]


def again(client, server):
    """The same session after another start, on another port."""
    same = Client(server)
    same.headers = client.headers
    return same


def gauge(server, name):
    return int(re.search(rf"^{name} (\d+)$", server.get("/metrics").text, re.MULTILINE)[1])


def codes(who):
    return {finding["code"] for finding in who.call("GET", "/status").json()["findings"]}


def test_two_people_do_it(server, root, bob):
    person(server, root, "dave", "analyst")
    asked = set_user(root, "dave", "administrator")
    request = asked.json()["approval"]
    assert asked.status == 202 and request["requester"] == "root" and request["about"] == "dave"
    assert request["what"] == "users/dave: enabled, administrator"
    assert request["hash"] == hashlib.sha256(request["text"].encode()).hexdigest()
    assert waiting(bob) == [request] and set_user(root, "dave", "administrator").status == 409, "it waits already"
    assert set_user(bob, "dave", "auditor").status == 200, "what takes one is done meanwhile"
    stale = decide(bob, request)
    assert stale.status == 409 and "has changed since" in stale.text
    assert decide(root, request, "refuse").status == 200, "whoever asked may take it back"
    assert waiting(bob) == [] and decide(bob, request).status == 404

    assert approved(bob, set_user(root, "dave", "administrator")).json() == {"user": "dave"}
    dave = Client(server).sign_in("/session", {"user": "dave", "password": PASSWORD})
    assert dave.call("GET", "/users").status == 200
    notes = trail(root)
    assert [note["event"].removeprefix("audit.approval.") for note in notes] == ["granted", "requested", "refused", "requested", "granted"]
    assert "waived" in notes[0]["body"], "bob was the second one: there was nobody to approve"
    granted = notes[-1]
    assert (granted["by"], granted["object"]) == ("bob", "users/dave: enabled, administrator")
    key = bob.call("GET", "/approvals").json()["key"]
    assert granted["key"] == key
    says = verified(granted["statement"], key)
    assert (says["requester"], says["approver"], says["hash"]) == ("root", "bob", granted["hash"])
    assert says["hash"] == hashlib.sha256(says["act"].encode()).hexdigest()
    with pytest.raises(InvalidSignature):
        verified(granted["statement"].replace("approver bob", "approver eve"), key)


def test_the_same_person_twice_and_other_hashes(server, root, bob):
    person(server, root, "dave", "analyst")
    tokens = [machine(server, root, "administrator") for _ in range(2)]
    for asker in [root, tokens[0]]:
        request = set_user(asker, "dave", "administrator").json()["approval"]
        refused = decide(root, request)
        assert refused.status == 409 and "nobody approves what they asked for" in refused.text
        for token in tokens:
            assert decide(token, request).status == 403, "that takes a person, not a token"
        assert decide(bob, {**request, "hash": "0" * 64}).status == 409
        assert decide(bob, {**request, "hash": request["hash"].upper()}).status == 409
        assert decide(bob, {**request, "id": "0" * 32}).status == 404
        for bad in [{}, {"hash": request["hash"]}, {"hash": request["hash"], "decision": "maybe"}]:
            assert bob.call("POST", f"/approvals/{request['id']}", bad).status == 400, bad
        assert decide(bob, request, more="x").status == 400
        assert decide(bob, request, "refuse").status == 200
    about_bob = root.call("POST", "/users/bob/link")
    assert about_bob.status == 409 and "nobody could approve" in about_bob.text, "bob is whom it is about"
    roles = {user["user"]: user["roles"] for user in root.call("GET", "/users").json()["users"]}
    assert roles["dave"] == ["analyst"], "none of it was done"


def test_of_many_at_once_one_carries_it_out(server, root, bob):
    carol = person(server, root, "carol", "administrator", approver=bob)
    add = {"user": "erin", "roles": ["administrator"]}
    request = root.call("POST", "/users", add).json()["approval"]
    approvers = [again(who, server) for who in (bob, carol) * 4]
    answers = []
    threads = [threading.Thread(target=lambda who=who: answers.append(decide(who, request))) for who in approvers]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(answer.status for answer in answers)[0] == 200
    assert [answer.status for answer in answers].count(200) == 1, [answer.text for answer in answers]
    assert all(answer.status in (200, 404, 409) for answer in answers)
    [link] = [answer.json()["link"] for answer in answers if answer.status == 200]
    assert link.startswith("lkl_")
    assert decide(bob, request).status == 404, "and never again"


def test_what_takes_two_and_what_is_done_at_once(server, root, bob):
    carol = person(server, root, "carol", "administrator", approver=bob)
    with_password = root.call("POST", "/users", {"user": "erin", "password": PASSWORD, "roles": ["administrator"]})
    assert with_password.status == 400 and "link" in with_password.text
    for asked in [
        root.call("POST", "/users", {"user": "erin", "roles": ["administrator"]}),
        root.call("POST", "/users", {"user": "frank", "roles": ["break-glass"]}),
        root.call("POST", "/users/carol/link"),
        set_user(carol, "carol", "administrator", "analyst"),
        set_user(root, "bob", "administrator", "analyst"),
    ]:
        assert asked.status == 202, asked.text
    mine = set_user(carol, "carol", "administrator", "auditor").json()["approval"]
    assert decide(carol, mine).status == 409 and carol.call("GET", "/session").json()["roles"] == ["administrator"]
    # To stop harm takes one, to undo that two.
    assert set_user(root, "carol", "administrator", disabled=True).status == 200
    assert carol.call("GET", "/users").status == 401
    assert decide(bob, mine).status == 409, "carol asked for it, and is kept out"
    approved(bob, set_user(root, "carol", "administrator"))
    assert set_user(root, "bob", "analyst").status == 200
    alone = set_user(root, "bob", "administrator")
    assert alone.status == 202, "carol could approve"
    assert set_user(root, "carol").status == 200
    nobody = root.call("POST", "/users", {"user": "gina", "roles": ["administrator"]})
    assert nobody.status == 409 and "less than 7 days ago" in nobody.text, "nobody gets rid of the second one"
    assert "one_administrator" in codes(root)


def test_a_request_outlives_kill_9(server, root, bob):
    request = root.call("POST", "/users", {"user": "erin", "roles": ["administrator"]}).json()["approval"]
    server.kill()
    server.start()
    root, bob = again(root, server), again(bob, server)
    assert waiting(bob) == [request]
    assert gauge(server, "logkeep_approvals_waiting") == 1
    link = decide(bob, request).json()["link"]
    server.kill()
    server.start()
    root, bob = again(root, server), again(bob, server)
    assert waiting(bob) == [] and decide(bob, request).status == 404
    assert Client(server).call("POST", "/password", {"link": link, "password": PASSWORD}).status == 200
    assert [note["event"] for note in trail(root)][-2:] == ["audit.approval.requested", "audit.approval.granted"]


def test_breaking_the_glass_from_beginning_to_review(server, root, bob):
    frank = person(server, root, "frank", "break-glass", approver=bob)
    person(server, root, "carol", "administrator", approver=bob)
    assert frank.call("GET", "/session").json()["may"] == ["own_sessions", "own_tokens", "own_password", "break_glass"]
    for bad in [{"reason": "short", "minutes": 5}, {"reason": REASON, "minutes": 61}, {"reason": REASON, "minutes": 0}, {"reason": REASON}]:
        assert frank.call("POST", "/break-glass", bad).status == 400, bad
    assert frank.call("GET", "/logs").status == 403
    begun = frank.call("POST", "/break-glass", {"reason": REASON, "minutes": 5})
    assert begun.status == 200, begun.text
    glass = begun.json()["id"]
    assert frank.call("POST", "/break-glass", {"reason": REASON, "minutes": 5}).status == 409
    server.ingest([{"message": "hello", "service": "cart"}])
    assert frank.call("GET", "/logs").status == 200 and frank.call("GET", "/users").status == 200
    other = Client(server).sign_in("/session", {"user": "frank", "password": PASSWORD})
    assert other.call("GET", "/logs").status == 403, "another session of his"
    assert frank.call("POST", "/tokens", {"name": "t", "roles": ["analyst"], "days": 1}).status == 409, "no token can have it"
    assert gauge(server, "logkeep_break_glass_active") == 1
    assert "break_glass_active" in codes(bob)
    assert REASON in server.stderr and "broken the glass" in server.stderr

    link = root.call("POST", "/users/carol/link").json()["approval"]
    assert decide(frank, link).status == 409, "approving is not among what he may"
    assert frank.call("POST", f"/break-glass/{glass}/review", {"note": "fine"}).status == 409
    assert bob.call("POST", f"/break-glass/{glass}/review", {"note": "fine"}).status == 409, "it has not ended"
    done = frank.call("POST", "/users/carol/link")
    assert done.status == 200 and done.json()["link"].startswith("lkl_"), "alone"
    assert frank.call("DELETE", "/break-glass").status == 200
    assert frank.call("GET", "/logs").status == 403 and frank.call("DELETE", "/break-glass").status == 409
    assert frank.call("POST", "/users/carol/link").status == 403

    server.kill()
    server.start()
    root, bob = again(root, server), again(bob, server)
    assert gauge(server, "logkeep_break_glass_active") == 0 and gauge(server, "logkeep_break_glass_unreviewed") == 1
    assert "break_glass_unreviewed" in codes(bob), "a restart forgets nothing"
    [shown] = bob.call("GET", "/break-glass").json()["break_glass"]
    assert (shown["id"], shown["user"], shown["reason"], shown["active"], shown["review"]) == (glass, "frank", REASON, False, None)
    assert bob.call("POST", f"/break-glass/{glass}/review", {"note": ""}).status == 400
    assert bob.call("POST", f"/break-glass/{glass}/review", {"note": "it did burn"}).status == 200
    assert root.call("POST", f"/break-glass/{glass}/review", {"note": "twice"}).status == 409
    assert "break_glass_unreviewed" not in codes(bob)
    notes = [note for note in trail(root) if note["by"] in ("frank", "bob") and note["event"] != "audit.approval.requested"][-4:]
    assert [note["event"] for note in notes] == [
        "audit.break_glass.began", "audit.approval.granted", "audit.break_glass.ended", "audit.break_glass.reviewed",
    ]  # fmt: skip
    assert verified(notes[1]["statement"], notes[1]["key"])["break-glass"] == f"{glass} {REASON}"
    by_glass = f"select count(*) from audit where \"audit.break_glass\" = '{glass}' and \"audit.action\" = 'query'"
    assert root.call("POST", "/sql", {"sql": by_glass}).json()["rows"] == [[1]], "what was done by it can be found"


def test_a_glass_ends_with_its_session(server, root, bob):
    frank = person(server, root, "frank", "break-glass", approver=bob)
    glass = frank.call("POST", "/break-glass", {"reason": REASON, "minutes": 60}).json()["id"]
    assert frank.call("GET", "/users").status == 200
    [session] = [each for each in root.call("GET", "/sessions").json()["sessions"] if each["user"] == "frank"]
    assert root.call("DELETE", f"/sessions/{session['id']}").status == 200
    assert frank.call("GET", "/users").status == 401
    frank = Client(server).sign_in("/session", {"user": "frank", "password": PASSWORD})
    assert frank.call("GET", "/users").status == 403
    assert root.call("POST", f"/break-glass/{glass}/review", {"note": "was ended"}).status == 200
    assert [note["event"] for note in trail(root)][-2:] == ["audit.break_glass.ended", "audit.break_glass.reviewed"]


def test_from_the_command_line(server, root, bob):
    def cli(user, *arguments):
        shown = ["--url", server.url, "--user", user, "--password-file", "-"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LOGKEEP_")}
        return subprocess.run(
            [str(BINARY), *arguments, *shown], input=PASSWORD, capture_output=True, text=True, timeout=60, check=False, env=clean
        )

    added = cli("root", "user", "add", "dave", "--role", "analyst")
    assert added.returncode == 0 and added.stdout.startswith("lkl_"), added.stderr
    asked = cli("root", "user", "set", "dave", "--role", "administrator")
    assert asked.returncode == 4 and "another administrator must approve it" in asked.stderr
    [identifier, digest] = re.search(r"approval approve (\S+) (\S+)", asked.stderr).groups()
    assert identifier in cli("bob", "approval", "list").stdout
    own = cli("root", "approval", "approve", identifier, digest)
    assert own.returncode == 1 and "asked for themselves" in own.stderr
    assert cli("bob", "approval", "approve", identifier, digest).returncode == 0
    erin = cli("root", "user", "add", "erin", "--role", "administrator")
    assert erin.returncode == 4
    [identifier, digest] = re.search(r"approval approve (\S+) (\S+)", erin.stderr).groups()
    assert cli("bob", "approval", "refuse", identifier, digest).returncode == 0
    assert waiting(bob) == []
