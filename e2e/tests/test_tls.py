"""TLS on every listener: real senders, who is not let in, changed files, and what other hosts may reach."""

import itertools
import json
import os
import re
import resource
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import grpc
import pytest
from opensearchpy import OpenSearch
from opensearchpy.helpers import bulk
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from pylogbeat import PyLogBeatClient

from support.certs import Authority
from support.ports import free_port
from support.rsyslog import QUEUE, Rsyslog, lose_nothing_in_kills, syslog_lines
from support.senders import SENDERS, Http
from support.server import BINARY, pairs
from support.wait import until

NODE = Path(__file__).resolve().parents[1] / "node"
COUNT = 200
# The tests read over plain HTTP; that the main port speaks TLS has tests of its own.
READ = {"main": '{address: "127.0.0.1:0", plaintext: true}'}
RAW = ["syslog-tcp", "syslog-tls", "forward-tcp", "beats", "gelf-tcp", "datadog-tcp", "relp", "json-tcp"]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "certs")


@pytest.fixture
def foreign(tmp_path):
    return Authority(tmp_path / "foreign")


def serve(make_server, authority, *more, listen=None, **options):
    listen = {**READ, "syslog_tls": '"127.0.0.1:0"', **(listen or {})}
    return make_server(settings=authority.settings(*more), listen=listen, **options).start()


@pytest.fixture
def tls_server(make_server, authority):
    return serve(make_server, authority)


@pytest.fixture
def mutual_server(make_server, authority):
    return serve(make_server, authority, f'client_ca: "{authority.ca}"', "client_certificates: required")


def metric(server, name, **labels):
    """The sum over all lines of this name that have these labels."""
    text = server.get("/metrics").text
    lines = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    return sum(float(value) for given, value in lines if wanted <= set(given.split(",")))


def refused(server, listener, reason):
    return metric(server, "logkeep_connections_refused_total", listener=listener, reason=reason)


def connect(port, context, source=None):
    raw = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=source)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except Exception:
        raw.close()
        raise


def is_let_in(port, context):
    """Whether a handshake holds: with TLS 1.3 a client hears of its refusal only when it reads."""
    try:
        with connect(port, context) as stream:
            stream.settimeout(0.5)
            stream.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            try:
                stream.recv(1)
            except TimeoutError:
                pass
            return True
    except (ssl.SSLError, ConnectionError):
        return False


def numbers(records):
    found = [int(pairs(record, "resource")["process.pid"]) for record in records]
    assert len(found) == len(set(found)), "one came twice"
    return set(found)


# Real senders.


def rsyslog_action(driver, port, queue=""):
    security = f'StreamDriver="{driver}" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"'
    return (
        f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted" '
        f'template="RSYSLOG_SyslogProtocol23Format" {security} {queue})'
    )


@pytest.mark.parametrize("driver", ["gtls", "ossl"])
def test_rsyslog_over_tls_while_the_server_is_killed(make_server, authority, tmp_path, word, driver):
    port = free_port()
    server = serve(make_server, authority, listen={"syslog_tls": f'"127.0.0.1:{port}"'})
    trusted = f'global(DefaultNetstreamDriverCAFile="{authority.ca}")'
    with Rsyslog(tmp_path, rsyslog_action(driver, port, QUEUE), module=trusted) as rsyslog:
        rsyslog.send(syslog_lines(word, range(500)))
        assert numbers(server.wait_for(word, 500)) == set(range(500))
        server.kill()
        server.start()
        # RFC 5425 has no acks: what is sent into the connection that was cut is lost, and the sender learns it by sending.
        later = itertools.count(500)

        def comes_back():
            rsyslog.send(syslog_lines(word, [next(later)]))
            return len(server.find(word)) > 500

        until(comes_back, "rsyslog sends again", 120, 0.2)
        first = next(later)
        again = range(first, first + 500)
        rsyslog.send(syslog_lines(word, again))
        until(lambda: set(again) <= numbers(server.find(word)), "everything after that is stored", 120)
    records = server.find(word)
    assert set(range(500)) <= numbers(records)
    assert {record["service"] for record in records} == {f"{word}-app"}


def test_rsyslog_relp_over_tls_loses_nothing_when_the_server_is_killed(make_server, authority, tmp_path, word):
    port = free_port()
    options = [f'client_ca: "{authority.ca}"']
    listen = {"relp": f'{{address: "127.0.0.1:{port}", client_certificates: required}}'}
    server = serve(make_server, authority, *options, listen=listen)
    certificate, key = authority.client("rsyslog-1")
    security = (
        f'tls="on" tls.caCert="{authority.ca}" tls.myCert="{certificate}" tls.myPrivKey="{key}" '
        'tls.authmode="name" tls.permittedpeer=["localhost"]'
    )
    action = f'action(type="omrelp" target="127.0.0.1" port="{port}" template="RSYSLOG_SyslogProtocol23Format" {security} {QUEUE})'
    with Rsyslog(tmp_path, action, module='module(load="omrelp")') as rsyslog:
        lose_nothing_in_kills(server, rsyslog, word, 2)
    sources = server.answered("/api/v1/sources", protocol="relp")["sources"]
    assert {source["identity"] for source in sources} == {"CN=rsyslog-1"}, sources


def npm_forward(authority, port, client, word):
    command = ["node", "forward.mjs", client, str(port), str(COUNT), word, "Message"]
    environment = {**os.environ, "CA": str(authority.ca)}
    return subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=120, check=False, env=environment)


@pytest.mark.parametrize("client", ["fluent-org", "fluent-logger"])
def test_fluent_loggers_of_npm(tls_server, authority, word, client):
    ran = npm_forward(authority, tls_server.port("forward-tcp"), client, word)
    assert ran.returncode == 0 and json.loads(ran.stdout.splitlines()[-1]) == {"acked": COUNT}, ran.stderr
    for record in tls_server.wait_for(word, COUNT):
        assert pairs(record, "attributes")["fluent.tag"] == "tag.label"


def test_pylogbeat(mutual_server, authority, word):
    certificate, key = map(str, authority.client("beat-1"))
    client = PyLogBeatClient(
        "localhost", mutual_server.port("beats"), timeout=60, ssl_enable=True, ssl_verify=True,
        keyfile=key, certfile=certificate, ca_certs=str(authority.ca),
    )  # fmt: skip
    client.connect()
    client.send([json.dumps({"message": f"{word} number {n}", "n": n}) for n in range(COUNT)])
    client.close()
    found = {pairs(record, "attributes")["n"] for record in mutual_server.wait_for(word, COUNT)}
    assert found == set(range(COUNT))
    [source] = mutual_server.answered("/api/v1/sources", protocol="beats")["sources"]
    assert (source["identity"], source["stored"]) == ("CN=beat-1", COUNT)


def otel(exporter, word):
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    for n in range(20):
        provider.get_logger("shop").emit(LogRecord(timestamp=1_795_168_800_000_000_000 + n, body=f"{word} number {n}"))
    assert provider.force_flush()
    provider.shutdown()


def test_opentelemetry_grpc_with_a_client_certificate(mutual_server, authority, word):
    certificate, key = authority.client("otel-1")
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes(), key.read_bytes(), certificate.read_bytes())
    endpoint = f"https://localhost:{mutual_server.port('otlp-grpc')}"
    otel(GrpcLogExporter(endpoint=endpoint, credentials=credentials), word)
    bodies = {record["body"] for record in mutual_server.wait_for(word, 20)}
    assert bodies == {f"{word} number {n}" for n in range(20)}
    sources = mutual_server.answered("/api/v1/sources", protocol="otlp")["sources"]
    assert {source["identity"] for source in sources} == {"CN=otel-1"}


def test_opentelemetry_http(tls_server, authority, word, monkeypatch):
    # What the library below prefers to what it is told.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca))
    endpoint = f"https://localhost:{tls_server.port('otlp-http')}/v1/logs"
    otel(HttpLogExporter(endpoint=endpoint, certificate_file=str(authority.ca)), word)
    tls_server.wait_for(word, 20)


def test_opensearch_py(tls_server, authority, word):
    port = tls_server.port("elasticsearch")
    client = OpenSearch([{"host": "localhost", "port": port}], use_ssl=True, verify_certs=True, ca_certs=str(authority.ca))
    documents = [{"_index": "web", "message": f"{word} number {n}", "n": n} for n in range(COUNT)]
    assert bulk(client, documents) == (COUNT, [])
    found = {pairs(record, "attributes")["n"] for record in tls_server.wait_for(word, COUNT)}
    assert found == set(range(COUNT))


def test_curl_agrees_on_http_2(tls_server, authority, word):
    url = f"https://localhost:{tls_server.port('loki')}/loki/api/v1/push"
    body = json.dumps({"streams": [{"stream": {"app": "a"}, "values": [["1795168800000000000", word]]}]})
    command = ["curl", "-sS", "--cacert", str(authority.ca), "-w", "%{http_code} %{http_version}", "-d", body, url]
    command += ["-H", "content-type: application/json"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "204 2"
    tls_server.wait_for(word, 1)


@pytest.mark.parametrize("sender", [sender for sender in SENDERS if sender.port != "main"], ids=lambda sender: f"{sender.port}-{sender.protocol}")
def test_every_sender_with_a_certificate(mutual_server, authority, word, sender):
    context = authority.context(authority.client("sender-1"))
    with connect(mutual_server.port(sender.port), context) as stream:
        stream.sendall(sender.message(1, [f"{word} one", f"{word} two"]))
        if isinstance(sender, Http) or sender.ack:
            assert sender.answered(stream, 2) in (200, 202, 204, 400)
        else:
            stream.unwrap()
    stored = lambda: [source for source in mutual_server.answered("/api/v1/sources")["sources"] if source["stored"] == 2]
    [source] = until(stored, "both are counted as stored")
    assert (source["protocol"], source["identity"]) == (sender.protocol, "CN=sender-1")


# Who is not let in.


def test_client_certificates(mutual_server, authority, foreign):
    listeners = ["syslog-tls", "beats", "loki", "otlp-grpc"]
    good = authority.context(authority.client("sender"))
    bad = {
        "none": authority.context(),
        "foreign": authority.context(foreign.client("sender")),
        "expired": authority.context(authority.expired("old")),
        "of a listener": authority.context(authority.host),
    }
    for listener in listeners:
        port = mutual_server.port(listener)
        assert is_let_in(port, good), listener
        for number, (what, context) in enumerate(bad.items(), 1):
            assert not is_let_in(port, context), f"{listener}: {what}"
            until(lambda listener=listener, number=number: refused(mutual_server, listener, "client_certificate") == number, what)
    told = mutual_server.answered("/api/v1/sources", protocol="beats")["sources"]
    assert sum(source["refused_for"].get("client_certificate", 0) for source in told) == len(bad)


def test_who_does_not_trust_the_listener_is_counted(tls_server, foreign):
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(tls_server.port("forward-tcp"), foreign.context())
    until(lambda: refused(tls_server, "forward-tcp", "handshake") == 1, "it is counted")


def test_plaintext_to_tls_and_the_reverse(make_server, authority, word):
    server = serve(make_server, authority)
    status = server.answered("/api/v1/status")["receivers"]
    spoken = [each for each in status if each["state"] == "listening" and each["tls"]]
    assert {*RAW, "loki", "otlp-grpc", "elasticsearch"} <= {each["protocol"] for each in spoken}
    for each in spoken:
        with socket.create_connection(("127.0.0.1", server.port(each["protocol"])), timeout=60) as plain:
            plain.sendall(f"POST /{word} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
            said = plain.recv(4096)
        assert said == b"" if each["protocol"] in RAW else said.startswith(b"HTTP/1.1 400 "), each
        assert refused(server, each["protocol"], "not_tls") == 1, each
    clear = make_server("clear").start()
    for name in ["loki", *(name for name in RAW if name != "syslog-tls")]:
        with pytest.raises(ssl.SSLError, match="alert handshake failure"):
            connect(clear.port(name), authority.context())
        until(lambda name=name: refused(clear, name, "unexpected_tls") == 1, name)
    with pytest.raises(ssl.SSLError):
        connect(int(clear.url.rsplit(":", 1)[1]), authority.context())
    assert server.find("") == [] and clear.find("") == []


# Versions and suites.


def weak_context(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def accepts(listener_context, client_context):
    """Whether the two of Python's agree: that a client can do what a listener is to refuse."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one():
            accepted, _ = listener.accept()
            try:
                listener_context.wrap_socket(accepted, server_side=True).close()
            except (ssl.SSLError, OSError):
                accepted.close()

        thread = threading.Thread(target=one, daemon=True)
        thread.start()
        try:
            connect(listener.getsockname()[1], client_context).close()
            return True
        except (ssl.SSLError, OSError):
            return False
        finally:
            thread.join(60)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(tls_server, authority, version):
    client = weak_context(version)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.load_cert_chain(*map(str, authority.host))
    assert accepts(old, client), "this client can speak it"
    for listener in ["loki", "syslog-tls"]:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(tls_server.port(listener), client)
        until(lambda listener=listener: refused(tls_server, listener, "handshake") == 1, listener)


def test_no_weak_suites(tls_server):
    command = ["openssl", "ciphers", "-tls1_2", "-s", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    suites = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip().split(":")
    assert len(suites) > 30
    accepted = set()
    for suite in suites:
        context = weak_context(ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(f"{suite}:@SECLEVEL=0")
        try:
            with connect(tls_server.port("syslog-tls"), context) as stream:
                accepted.add(stream.cipher()[0])
        except (ssl.SSLError, ConnectionError):
            pass
    strong = {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"}
    assert accepted == strong
    newest = weak_context(ssl.TLSVersion.TLSv1_3)
    with connect(tls_server.port("syslog-tls"), newest) as stream:
        assert stream.version() == "TLSv1.3"


def test_handshakes_that_never_end(tls_server, authority, word):
    """1,500 connections that begin a handshake and stop: those of others are served."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for listener in ["syslog-tls", "loki"]:
        port = tls_server.port(listener)
        held = []
        for place in range(1_500):
            half = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=("127.0.0.2", 0))
            half.sendall(b"\x16\x03\x01\x02"[: place % 5])
            held.append(half)
        assert is_let_in(port, authority.context())
        for half in held:
            half.close()
    with connect(tls_server.port("syslog-tls"), authority.context()) as stream:
        stream.sendall(syslog_lines(word, [1])[0].encode() + b"\n")
        tls_server.wait_for(word, 1)


# Files.


def test_changed_files_are_taken_up_while_a_connection_stays_open(make_server, authority, foreign, word):
    server = serve(make_server, authority)
    port, (certificate, _) = server.port("syslog-tls"), authority.host

    def presented(context):
        with connect(port, context) as stream:
            return stream.getpeercert()["serialNumber"]

    before = presented(authority.context())
    with connect(port, authority.context()) as stream:
        say = lambda text: stream.sendall(f"<13>1 - web-1 app - - - {word} {text}\n".encode())
        say("before")
        server.wait_for(word, 1)
        # Half a pair: it is not used, and said.
        for source, target in zip(foreign.host, authority.host, strict=True):
            if target == certificate:
                target.write_bytes(source.read_bytes())
        until(lambda: metric(server, "logkeep_tls_failing") == 1, "the half pair is noticed")
        assert presented(authority.context()) == before
        until(lambda: "does not belong to the certificate" in server.stderr, "it is said")
        assert "PRIVATE KEY" not in server.stderr
        # A new pair, as it is renewed.
        authority.listener("host")
        until(lambda: presented(authority.context()) != before, "the new certificate is presented")
        until(lambda: metric(server, "logkeep_tls_failing") == 0, "nothing is wrong any more")
        assert metric(server, "logkeep_tls_changes_total") >= 1
        say("after")
        server.wait_for(word, 2)
    assert metric(server, "logkeep_tls_certificate_expiry_timestamp_seconds") > 1_700_000_000


def test_an_authority_that_is_taken_away_lets_nobody_in_any_more(make_server, authority, foreign):
    trusted = authority.folder / "senders.pem"
    trusted.write_bytes(authority.ca.read_bytes())
    server = serve(make_server, authority, f'client_ca: "{trusted}"', "client_certificates: required")
    port = server.port("loki")
    ours, theirs = authority.context(authority.client("a")), authority.context(foreign.client("b"))
    assert is_let_in(port, ours) and not is_let_in(port, theirs)
    trusted.write_bytes(foreign.ca.read_bytes())
    until(lambda: not is_let_in(port, ours), "the authority is gone", every_s=0.2)
    assert is_let_in(port, theirs)


def test_a_certificate_that_has_expired_is_said(make_server, authority):
    pair = authority.expired("listener", usage="serverAuth")
    server = make_server(settings=authority.settings(pair=pair), listen=READ).start()
    until(lambda: "this certificate has expired" in server.stderr, "it is said")
    assert metric(server, "logkeep_tls_certificate_expiry_timestamp_seconds") == 1_580_515_200


def test_files_that_cannot_be_used(make_server, authority, foreign):
    (certificate, key), (_, other) = authority.host, foreign.host

    def refusal(name, pair):
        server = make_server(name, settings=authority.settings(pair=pair), listen=READ)
        assert not server.try_start()
        said = server.last_words()
        assert key.read_text().splitlines()[1] not in said
        return said

    assert "does not belong to the certificate" in refusal("apart", (certificate, other))
    assert "No such file" in refusal("missing", (certificate, authority.folder / "none"))
    key.chmod(0o644)
    assert f"run `chmod 600 {key}`" in refusal("open", (certificate, key))


# What other hosts may reach.


def test_what_other_hosts_reach_is_encrypted_or_said_to_be_not(make_server, authority):
    server = make_server("refused", listen={"loki": '"0.0.0.0:0"'})
    assert not server.try_start()
    assert "can be reached from other hosts, in the clear" in server.last_words()
    server = make_server("main", settings=authority.settings(), listen={"main": '"0.0.0.0:0"'})
    assert not server.try_start()
    assert "shows what is stored" in server.last_words()
    server = make_server("unknown", settings=authority.settings(), listen={"beats": '"0.0.0.0:0"', **READ})
    assert not server.try_start()
    assert "does not know who sends" in server.last_words()
    open_one = {"loki": '{address: "0.0.0.0:0", plaintext: true}', "otlp_grpc": '"0.0.0.0:0"', **READ}
    server = make_server("exposed", settings=authority.settings(), listen=open_one).start()
    exposed = [each["protocol"] for each in server.answered("/api/v1/status")["receivers"] if each["exposed"]]
    assert exposed == ["loki"]
    assert metric(server, "logkeep_listeners_exposed") == 1
    assert server.stderr.count("other hosts send to this listener in the clear") == 1


def cli(*arguments, **environment):
    command = [str(BINARY), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
    )  # fmt: skip


RULES = "access:\n  certificates:\n    - {name: CN=ann, roles: [analyst, auditor, collector]}\n    - {name: CN=sender, roles: [collector]}\n"


def test_reading_from_another_host_takes_a_certificate_of_its_own_authority(make_server, authority, tmp_path, word):
    readers = Authority(tmp_path / "readers")
    main = f'{{address: "0.0.0.0:0", client_ca: "{readers.ca}", client_certificates: required}}'
    reader, sender = readers.client("ann"), authority.client("sender")
    certificates = [f'client_ca: "{authority.ca}"', "client_certificates: required"]
    settings = authority.settings(*certificates) + RULES
    server = make_server(settings=settings, listen={"main": main}, tls=authority.context(reader))
    server.start()
    server.ingest([{"message": word}])
    port = int(server.url.rsplit(":", 1)[1])
    url, ca = f"https://localhost:{port}", ["--ca", authority.ca]
    shown = ["--client-cert", reader[0], "--client-key", reader[1]]
    found = cli("query", word, "--url", url, *ca, *shown, "--format", "json")
    assert found.returncode == 0 and word in found.stdout, found.stderr
    assert not is_let_in(port, authority.context()) and not is_let_in(port, authority.context(sender))
    for wrong in [ca, [*ca, "--client-cert", sender[0], "--client-key", sender[1]], shown]:
        answer = cli("query", word, "--url", url, *wrong)
        assert answer.returncode == 3 and "--ca" in answer.stderr and word not in answer.stdout, answer.stderr
    audited = server.sql("select \"enduser.id\" as who from audit")
    assert "CN=ann" in json.dumps(audited["rows"]), audited
    # A page of another origin is kept out even where the browser has a certificate.
    with server.connect() as connection:
        assert connection.get("/api/v1/status", origin="https://evil.example").status == 403


def test_the_command_line_verifies(make_server, authority, foreign, tmp_path, word):
    server = make_server(settings=authority.settings(), tls=authority.context()).start()
    assert server.url.startswith("https://")
    log = tmp_path / "lines.log"
    log.write_text("".join(f"{word} number {n}\n" for n in range(50)))
    ran = cli("import", log, "--url", server.url, "--ca", authority.ca)
    assert ran.returncode == 0, ran.stderr
    server.wait_for(word, 50)
    environment = {"LOGKEEP_URL": server.url, "LOGKEEP_CA": str(authority.ca), "LOGKEEP_TOKEN": server.token}
    assert cli("query", word, "--format", "json", **environment).stdout.count(word) >= 50
    distrust = cli("query", word, "--url", server.url, "--ca", foreign.ca)
    assert distrust.returncode == 3 and "--ca" in distrust.stderr and distrust.stdout == ""
    assert cli("query", word, "--url", server.url).returncode == 3, "this machine does not know the authority"


# Trust domains.


def test_trust_domains(make_server, authority, foreign, word):
    """Each domain is spoken for by its own authorities, a name is not enough without a rule, and a changed bundle is taken up."""
    bundle = authority.folder / "bundle.pem"
    bundle.write_bytes(authority.ca.read_bytes())
    more = ["client_certificates: required", "trust_domains:", f'  mesh.ours: "{bundle}"', f'  mesh.theirs: "{foreign.ca}"']
    rules = 'access:\n  certificates:\n    - {name: "spiffe://mesh.ours/ns/*/sa/web", roles: [collector]}\n'
    listen = {**READ, "syslog_tls": '{address: "127.0.0.1:0", senders: certificate}'}
    server = make_server(settings=authority.settings(*more) + rules, listen=listen).start()
    port = server.port("syslog-tls")
    shown = lambda issuer, client: authority.context(issuer.issue("shown", "--client", client))

    def say(text, issuer, client):
        with connect(port, shown(issuer, client)) as stream:
            stream.sendall(f"<13>1 - web-1 app - - - {text}\n".encode())
            stream.settimeout(5)
            try:
                stream.recv(1)
            except TimeoutError:
                pass

    say(word, authority, "spiffe://mesh.ours/ns/shop/sa/web")
    server.wait_for(word, 1)
    [source] = [each for each in server.answered("/api/v1/sources", protocol="syslog")["sources"] if each["stored"]]
    assert source["identity"] == "spiffe://mesh.ours/ns/shop/sa/web"
    for issuer, client in [
        (foreign, "spiffe://mesh.ours/ns/shop/sa/web"),
        (authority, "spiffe://mesh.theirs/ns/shop/sa/web"),
        (authority, "spiffe://mesh.unknown/ns/shop/sa/web"),
        (authority, "web-1"),
    ]:
        assert not is_let_in(port, shown(issuer, client)), client
    try:
        say("nobody", foreign, "spiffe://mesh.theirs/ns/shop/sa/web")
    except (ssl.SSLError, ConnectionError):
        pass
    until(lambda: refused(server, "syslog-tls", "denied") == 1, "no rule is about it")
    assert server.find("nobody") == []
    bundle.write_bytes(foreign.ca.read_bytes())
    until(lambda: not is_let_in(port, shown(authority, "spiffe://mesh.ours/ns/shop/sa/web")), "the bundle has changed", every_s=0.2)
    say(f"{word}after", foreign, "spiffe://mesh.ours/ns/shop/sa/web")
    server.wait_for(f"{word}after", 1)
