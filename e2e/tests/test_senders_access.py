"""Who may send: real senders with tokens, what is refused and where that is seen, and tenants that stay apart."""

import base64
import json
import logging
import random
import socket
import subprocess
import urllib.parse

import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem
from elasticsearch import Elasticsearch, helpers
from logging_loki import LokiHandler
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from splunk_handler import SplunkHandler

from support.certs import Authority
from support.http import Connection
from support.people import Client, administrator, person, token
from support.rsyslog import Rsyslog, syslog_lines
from support.server import BINARY, EVERYTHING
from support.wait import until

COUNT = 20
HTTP = ["otlp_grpc", "otlp_http", "elasticsearch", "loki", "splunk_hec", "gelf_http", "datadog_http", "envoy_als", "datadog_traces"]
HTTP += ["journal", "json_http", "zipkin", "jaeger_grpc", "jaeger_http"]
DEMANDING = {name: '{address: "127.0.0.1:0", senders: token}' for name in HTTP}
UNKNOWN = "lkt_" + "0" * 16 + "." + "0" * 64


@pytest.fixture
def server(make_server):
    return make_server(settings="tenants: [shop]\naccess:\n  loopback: open\n", listen=DEMANDING).start()


@pytest.fixture
def root(server):
    return administrator(server)


def otel(exporter, word):
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    for n in range(COUNT):
        provider.get_logger("shop").emit(LogRecord(timestamp=1_795_168_800_000_000_000 + n, body=f"{word} number {n}"))
    provider.force_flush()
    provider.shutdown()


def otlp_grpc(server, token, word):
    headers = {"authorization": f"Bearer {token}"}
    otel(GrpcExporter(endpoint=f"http://{server.address('otlp-grpc')}", insecure=True, headers=headers), word)


def otlp_http(server, token, word):
    headers = {"authorization": f"Bearer {token}"}
    otel(HttpExporter(endpoint=f"http://{server.address('otlp-http')}/v1/logs", headers=headers), word)


def elasticsearch(server, word, **shown):
    with Elasticsearch(f"http://{server.address('elasticsearch')}", **shown) as client:
        documents = [{"_index": "web", "message": f"{word} number {n}"} for n in range(COUNT)]
        return helpers.bulk(client, documents)


def elasticsearch_api_key(server, token, word):
    elasticsearch(server, word, api_key=("logkeep", token))


def elasticsearch_basic(server, token, word):
    elasticsearch(server, word, basic_auth=("logkeep", token))


def loki(server, token, word):
    handler = LokiHandler(f"http://{server.address('loki')}/loki/api/v1/push", tags={"app": word}, version="1", auth=("x", token))
    logger = logging.Logger(word)
    logger.addHandler(handler)
    for n in range(COUNT):
        logger.warning("%s number %s", word, n)


def splunk(server, token, word):
    handler = SplunkHandler(
        host="127.0.0.1", port=server.port("splunk-hec"), token=token, index="main", protocol="http", flush_interval=0.2,
        record_format=True, retry_count=0,
    )  # fmt: skip
    logger = logging.Logger(word)
    logger.addHandler(handler)
    for n in range(COUNT):
        logger.warning(json.dumps({"message": f"{word} number {n}"}))
    handler.force_flush()


def datadog(server, token, word):
    configuration = Configuration(server_operation_index={"submit_log": 1})
    configuration.server_operation_variables = {"submit_log": {"protocol": "http", "name": server.address("datadog-http")}}
    configuration.api_key["apiKeyAuth"] = token
    with ApiClient(configuration) as client:
        LogsApi(client).submit_log(body=HTTPLog([HTTPLogItem(message=f"{word} number {n}") for n in range(COUNT)]))


SENDERS = [otlp_grpc, otlp_http, elasticsearch_api_key, elasticsearch_basic, loki, splunk, datadog]


@pytest.mark.parametrize("send", SENDERS, ids=lambda send: send.__name__)
def test_real_senders_with_a_token(server, root, word, send):
    send(server, token(root, "collector"), word)
    bodies = {record["body"] for record in server.wait_for(word, COUNT)}
    assert bodies == {f"{word} number {n}" for n in range(COUNT)}
    [source] = [each for each in server.answered("/api/v1/sources")["sources"] if each["stored"] == COUNT]
    assert source["identity"].startswith("token:")


@pytest.mark.parametrize("send", SENDERS, ids=lambda send: send.__name__)
@pytest.mark.parametrize("shown", ["unknown", "an analyst's"])
def test_real_senders_without_leave(server, root, word, send, shown):
    shown = UNKNOWN if shown == "unknown" else token(root, "analyst")
    try:
        send(server, shown, word)
    except Exception as error:  # noqa: BLE001 - libraries tell it each in their own way
        assert shown not in str(error)
    refused = lambda: sum(each["refused_requests"] for each in server.answered("/api/v1/sources")["sources"])
    until(lambda: refused() > 0, "it is counted")
    assert server.find(word) == []
    assert shown.split(".")[1] not in server.stderr


def test_rsyslog_to_elasticsearch_with_a_password(server, root, tmp_path, word):
    secret = token(root, "collector")
    action = (
        f'action(type="omelasticsearch" server="127.0.0.1" serverport="{server.port("elasticsearch")}" '
        f'uid="logkeep" pwd="{secret}" bulkmode="on" searchIndex="syslog" searchType="")'
    )
    with Rsyslog(tmp_path, action, module='module(load="omelasticsearch")') as rsyslog:
        rsyslog.send(syslog_lines(word, range(COUNT)))
        server.wait_for(word, COUNT)


def raw(server, name, head, body=b""):
    """The status of a request that no library would send."""
    port = server.port(name) if name != "main" else server.ports()["main"]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        stream.sendall("\r\n".join([*head, f"content-length: {len(body)}", "connection: close", "", ""]).encode("latin-1") + body)
        said = b""
        while chunk := stream.recv(65536):
            said += chunk
    return int(said.split(b" ", 2)[1]), said.decode("latin-1")


def test_what_is_smuggled(server, root, word):
    good = token(root, "collector")
    body = json.dumps({"message": word}).encode()

    def post(*headers, path="/"):
        return raw(server, "json-http", [f"POST {path} HTTP/1.1", "host: x", *headers], body)

    bearer = f"authorization: Bearer {good}"
    assert post(bearer)[0] == 200
    for headers in [
        (),
        (f"authorization: Bearer {UNKNOWN}",),
        (bearer, bearer),
        (bearer, f"authorization: Bearer {UNKNOWN}"),
        (f"authorization: Bearer {UNKNOWN}", bearer),
        (f"authorization: Bearer {good},Bearer {UNKNOWN}",),
        (f"authorization: Bearer\x0b{good}",),
        (f"authorization: Bearer {good}\x80",),
        (f"authorization: Basic {good}",),
        ("authorization: Basic " + base64.b64encode(good.encode()).decode(),),
        (f"authorization : Bearer {good}",),
        (bearer[:-1],),
        (bearer.upper(),),
        (f"cookie: logkeep_session={good}",),
        (bearer, "x-logkeep-tenant: shop"),
        (bearer, "x-logkeep-tenant: default", "x-logkeep-tenant: shop"),
        (bearer, "x-logkeep-tenant: default\x80"),
        (bearer, "x-logkeep-tenant: ../shop"),
        (bearer, "x-logkeep-tenant: default,shop"),
    ]:
        status, said = post(*headers)
        assert status in (400, 401, 403), (headers, said)
        assert good not in said
    for path in [f"/?token={good}", f"/?access_token={urllib.parse.quote(good, safe='')}", f"/{good}"]:
        status, said = post(bearer, path=path)
        assert (status, good in said) == (401, False), said
    assert len(server.find(word)) == 1
    assert good.split(".")[1] not in server.stderr


def test_readers_and_header_smuggling(server, root):
    bearer = f"authorization: Bearer {token(root, 'analyst')}"
    unknown = f"authorization: Bearer {UNKNOWN}"

    def get(*headers, path="/api/v1/logs"):
        return raw(server, "main", [f"GET {path} HTTP/1.1", f"host: 127.0.0.1:{server.ports()['main']}", *headers])[0]

    assert get(bearer) == 200
    assert get(bearer, "x-scope-orgid: default") == 200
    for expected, headers in [
        (401, (unknown,)),
        (401, (bearer, bearer)),
        (401, (bearer, unknown)),
        (401, (unknown, bearer)),
        (401, ("authorization: Digest x",)),
        (403, (bearer, "x-scope-orgid: shop")),
        (403, (bearer, "x-logkeep-tenant: nowhere")),
        (403, (bearer, "x-scope-orgid: \xff")),
        (400, (bearer, "x-scope-orgid: default", "x-scope-orgid: shop")),
        (400, (bearer, "x-scope-orgid: default", "x-logkeep-tenant: shop")),
        (403, ("x-scope-orgid: shop",)),
    ]:
        assert get(*headers) == expected, headers
    secret = bearer.split()[-1]
    assert get(path=f"/api/v1/logs?token={secret}") == 400
    assert get(bearer, path=f"/api/v1/logs?q={secret.replace('_', '%5F')}") == 400


def test_a_token_ends_with_the_next_request(server, root, word):
    secret = token(root, "collector")
    send = lambda: Connection(f"http://{server.address('otlp-http')}").post(
        "/v1/logs", b"{}", {"content-type": "application/json", "authorization": f"Bearer {secret}"}
    )
    assert send().status == 200
    listed = root.call("GET", "/tokens").json()["tokens"]
    assert [each["used"] is not None for each in listed] == [True]
    assert root.call("DELETE", f"/tokens/{listed[0]['id']}").status == 200
    refused = send()
    assert (refused.status, refused.json()["code"]) == (401, 16)


def test_refusals_are_in_the_ledger_and_in_sums_in_the_trail(server, root):
    analyst = token(root, "analyst")
    with Connection(f"http://{server.address('loki')}") as loki:
        for _ in range(200):
            assert loki.post("/loki/api/v1/push", b"{}").status == 401
        for _ in range(3):
            assert loki.post("/loki/api/v1/push", b"{}", {"authorization": f"Bearer {analyst}"}).status == 403
    told = server.answered("/api/v1/sources", protocol="loki")["sources"]
    assert told[0]["refused_for"] == {"unauthenticated": 200, "denied": 3}
    # What has not been told within the minute is told at the end.
    server.stop()
    server.start()
    sql = 'select "audit.object", "audit.reason", "audit.count", "client.address" from audit where event_name = \'audit.sender.refused\''
    assert sorted(server.sql(sql)["rows"]) == [["loki", "denied", "3", "127.0.0.1"], ["loki", "unauthenticated", "200", "127.0.0.1"]]


def test_tokens_for_other_tenants(server, root):
    ann = person(server, root, "ann", "analyst", "collector")
    make = lambda who, role, tenant: who.call("POST", "/tokens", {"name": "x", "roles": [role], "days": 1, "tenant": tenant})
    assert make(root, "collector", "shop").status == 200
    for who, role, tenant in [(root, "collector", "nowhere"), (root, "analyst", "shop"), (ann, "collector", "shop"), (ann, "analyst", "shop")]:
        assert make(who, role, tenant).status == 400, (role, tenant)


def check(settings, tmp_path):
    file = tmp_path / "checked.yaml"
    file.write_text(settings)
    return subprocess.run([str(BINARY), "config", "check", str(file)], capture_output=True, text=True, check=False)


def test_findings(make_server, tmp_path):
    listen = {
        "loki": '{address: "0.0.0.0:0", plaintext: true}',
        "syslog_udp": '{address: "0.0.0.0:0", plaintext: true, senders: open}',
    }
    server = make_server(listen=listen).start()
    expected = {("loki", "plaintext"), ("syslog-udp", "plaintext"), ("syslog-udp", "open_senders")}
    found = server.answered("/api/v1/status")["findings"]
    assert {(each["listener"], each["code"]) for each in found if each["listener"]} == expected
    ran = check(server.config.read_text(), tmp_path)
    assert ran.returncode == 0
    said = {tuple(line.split(": ")[1:3]) for line in ran.stdout.splitlines() if line.startswith("finding: ")}
    assert said == expected
    push = lambda: Connection(f"http://127.0.0.1:{server.port('loki')}").post("/loki/api/v1/push", b"{}")
    assert push().status == 401, "what other hosts reach demands something by default"


# Tenants that stay apart.

# What no question says in full.
CANARY = "canary" + "".join(random.Random(7).choices("bcdfghjkmnpqrstvwxz", k=12))
GUESS = CANARY[:9]


@pytest.fixture
def two_tenants(make_server, tmp_path):
    """Somebody who reads `default`, somebody who reads `shop`, and a canary in everything that `shop` has."""
    authority = Authority(tmp_path / "certs")
    settings = (
        "tenants: [shop]\n"
        "access:\n  certificates:\n"
        "    - {name: CN=default-reader, roles: [analyst, auditor]}\n"
        "    - {name: CN=shop-reader, roles: [analyst, auditor], tenants: [shop]}\n" + authority.settings()
    )
    main = f'{{address: "127.0.0.1:0", client_ca: "{authority.ca}", client_certificates: optional}}'
    plain = {name: '{address: "127.0.0.1:0", plaintext: true}' for name in ["otlp_http", "loki", "zipkin"]}
    reader = lambda name: authority.context(authority.client(name))
    server = make_server(settings=settings, listen={"main": main, **plain}, tls=reader("default-reader")).start()
    shop = Connection(server.url, tls=reader("shop-reader"))
    return server, shop


def plant(server, tenant, word, count):
    """Logs and spans of a tenant in which every name and value has the word."""
    as_tenant = {"x-logkeep-tenant": tenant, "content-type": "application/json"}
    lines = "".join(
        json.dumps({"message": f"{word} {n}", "service": f"{word}-svc", "level": "error", f"{word}.key": f"{word}-value", "n": n}) + "\n"
        for n in range(count)
    )
    with server.connect() as connection:
        assert connection.post("/api/v1/ingest/ndjson", lines.encode(), as_tenant).status == 200
    spans = [
        {"traceId": f"{n + 1:032x}", "id": f"{n + 1:016x}", "name": word, "localEndpoint": {"serviceName": f"{word}-svc"},
         "kind": "SERVER", "timestamp": 1_795_168_800_000_000 + n, "duration": 5, "tags": {f"{word}.tag": word}}
        for n in range(count)
    ]  # fmt: skip
    with Connection(f"http://{server.address('zipkin')}") as connection:
        assert connection.post("/api/v2/spans", json.dumps(spans).encode(), as_tenant).status == 202


def kql(rng):
    field = lambda: rng.choice(["body", "service.name", "severity", "n", f"{GUESS}*", "nothing", "trace_id"])
    value = lambda: rng.choice(["*", f"{GUESS}*", f"*{GUESS[1:]}*", "error", "1", "plain*"])
    term = lambda: rng.choice([value(), f"{field()}:{value()}", f"not {field()}:{value()}", f"n>={rng.randrange(9)}", "*"])
    return rng.choice([" and ", " or "]).join(term() for _ in range(rng.randrange(1, 4)))


def statement(rng):
    table = rng.choice(["logs", "spans", "audit"])
    column = rng.choice(["body", "service", "*", "original", "attributes", "count(*)", "max(body)", "max(service)"])
    shapes = [
        f"select {column} from {table} limit {rng.randrange(1, 500)}",
        f"select count(*) from {table} where cast(body as varchar) like '%{GUESS}%'",
        f"select body from {table} where body like '{GUESS}%' or 1 = 1",
        f"with x as (select * from {table}) select {column} from x",
        f"select a.body from {table} a join {rng.choice(['logs', 'spans'])} b on true limit 50",
        f"select * from (select body from logs union all select body from {table})",
        f"select {column} from shop.{table}",
        f"select {column} from logkeep.shop.{table}",
        f"select * from {table} where tenant = 'shop'",
        f"explain analyze select * from {table}",
        f"select * from information_schema.{rng.choice(['tables', 'columns', 'df_settings'])}",
        f"select body, row_number() over (order by time) from {table}",
        f"select {column} from {table} where service = (select max(service) from {table})",
        f"select cast(body as bigint) from {table}",
    ]
    return rng.choice(shapes)


def asked(rng):
    """A request of any kind that reads."""
    q = {"q": kql(rng), "limit": rng.choice([1, 10, 1_000]), **EVERYTHING}
    get = lambda path, **more: ("GET", f"/api/v1{path}?" + urllib.parse.urlencode({**q, **more}), None)
    trace = f"{rng.randrange(1, 30):032x}"
    record = f"{rng.choice(['shop', 'default'])}.{rng.randrange(4)}.{rng.randrange(30)}"
    return rng.choice(
        [
            get("/logs", order=rng.choice(["asc", "desc"])),
            get("/spans"),
            get("/histogram", dataset=rng.choice(["logs", "spans"])),
            get("/fields"),
            get(f"/fields/{rng.choice(['service.name', 'severity', f'{GUESS}.key', 'body'])}/values", prefix=rng.choice(["", GUESS])),
            get("/overview"),
            get("/patterns"),
            get("/services"),
            get("/graph"),
            get("/sources"),
            get("/status"),
            ("GET", f"/api/v1/traces/{trace}", None),
            ("GET", f"/api/v1/logs/{record}", None),
            ("GET", f"/api/v1/logs/{record}/context", None),
            ("POST", "/api/v1/sql", json.dumps({"sql": statement(rng)})),
            ("GET", "/metrics", None),
        ]
    )


def test_nothing_of_another_tenant_is_ever_in_an_answer(two_tenants, setting, say):
    """Random questions in every language and at every path: the canary of `shop` is in no answer to `default`, no error, no
    metric and no line of the server's log, and `shop` sees nothing of `default`."""
    server, shop = two_tenants
    plant(server, "shop", CANARY, 30)
    plant(server, "default", "plainword", 30)
    seen = shop.get("/api/v1/logs?" + urllib.parse.urlencode({"q": f"{GUESS}*", "limit": 100, **EVERYTHING}))
    assert len(seen.json()["records"]) == 30, "it is there, for those who may read it"
    rounds = setting("E2E_ISOLATION", 400)
    rng = random.Random(1)
    json_sent = {"content-type": "application/json"}
    answered = 0
    with server.connect() as connection:
        for number in range(rounds):
            method, path, body = asked(rng)
            # What a question may not do either: name the other tenant.
            named = {rng.choice(["x-scope-orgid", "x-logkeep-tenant"]): "shop"} if rng.random() < 0.1 else {}
            answer = connection.request(method, path, body, {**json_sent, **named})
            question = urllib.parse.unquote_plus(path) + (body or "")
            assert CANARY not in answer.text, (number, question, answer.text[:2000])
            if named and path.startswith("/api"):
                assert answer.status == 403, (number, question, answer.text[:2000])
            answered += answer.status == 200
            reverse = shop.request(method, path, body, json_sent)
            assert "plainword" not in reverse.text, (number, question)
    say(f"{rounds} questions, {answered} answered")
    assert answered > rounds / 3
    assert CANARY not in server.stderr


def test_what_senders_send_stays_with_their_tenant(two_tenants, word):
    server, shop = two_tenants
    mine = token(administrator(server), "collector", tenant="shop")
    with Connection(f"http://{server.address('loki')}") as loki:
        push = {"streams": [{"stream": {"app": "a"}, "values": [["1795168800000000001", word]]}]}
        headers = {"content-type": "application/json", "authorization": f"Bearer {mine}"}
        assert loki.post("/loki/api/v1/push", json.dumps(push).encode(), headers).status == 204
        for tenant in ["default", "nowhere"]:
            named = {**headers, "x-scope-orgid": tenant}
            assert loki.post("/loki/api/v1/push", json.dumps(push).encode(), named).status == 401
    assert server.find(word) == []
    found = shop.get("/api/v1/logs?" + urllib.parse.urlencode({"q": word, **EVERYTHING})).json()["records"]
    assert len(found) == 1


def test_a_certificate_that_no_rule_names_reads_nothing(make_server, tmp_path):
    authority = Authority(tmp_path / "certs")
    main = f'{{address: "127.0.0.1:0", client_ca: "{authority.ca}", client_certificates: required}}'
    listen = {"main": main}
    settings = "access:\n  certificates:\n    - {name: CN=ann, roles: [analyst, auditor]}\n" + authority.settings()
    server = make_server(settings=settings, listen=listen, tls=authority.context(authority.client("ann"))).start()
    assert server.answered("/api/v1/session")["roles"] == ["analyst", "auditor"]
    stranger = Connection(server.url, tls=authority.context(authority.client("bob")))
    for path in ["/api/v1/session", "/api/v1/logs", "/api/v1/status"]:
        answer = stranger.get(path)
        assert answer.status == 401, path
    assert "CN=bob" in answer.text and "stands for nobody" in answer.text
    sql = 'select "audit.decision", "audit.claimed" from audit where "audit.object" = \'certificate\''
    assert server.sql(sql)["rows"] == [["deny", "CN=bob"]] * 3
    # Within the connection a session or token still says who it is.
    root = Client(server)
    root.connection = stranger
    assert root.sign_in("/setup", {"link": (server.data / "set-up-link").read_text().strip(), "user": "root", "password": "granite lantern oboe thirty"})
    assert root.call("GET", "/users").status == 200
