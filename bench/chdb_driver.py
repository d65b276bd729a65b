"""The same lines, put into ClickHouse as the PyPI package chdb, which then answers over HTTP.

Run by the interpreter of a virtual environment that has chdb (`pip install chdb`):

    python bench/chdb_driver.py --file mesh.ndjson --data-dir chdb-data --json chdb.json

When the lines are in it prints `ready: URL`, where a POST of a statement is answered with ClickHouse's JSONCompact, until
its own standard input ends; then it writes the result.

The schema is made by hand for this data, as an operator who knows it would: a typed column a field, rows ordered by
service and time, a text index on the message, a bloom filter on the trace id. The file is sent as INSERT statements of
4 MB through a small HTTP server in a process of its own that lets one statement in at a time, because the engine is
embedded and has no server; its CPU time and memory are in the figures.
"""

import argparse
import http.client
import http.server
import json
import multiprocessing
import os
import pathlib
import queue
import resource
import sys
import threading
import time

COLUMNS = """
    `@timestamp` DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    time DateTime64(9, 'UTC') ALIAS `@timestamp`,
    cluster LowCardinality(String),
    namespace LowCardinality(String),
    service LowCardinality(String),
    pod LowCardinality(String),
    node LowCardinality(String),
    version LowCardinality(String),
    level LowCardinality(String),
    logger LowCardinality(String),
    stream LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    message String CODEC(ZSTD(1)),
    authority LowCardinality(String),
    bytes_received UInt64,
    bytes_sent UInt64,
    connection_termination_details LowCardinality(String),
    downstream_local_address LowCardinality(String),
    downstream_remote_address String CODEC(ZSTD(1)),
    duration UInt32,
    method LowCardinality(String),
    path String CODEC(ZSTD(1)),
    protocol LowCardinality(String),
    request_id UUID,
    requested_server_name LowCardinality(String),
    response_code UInt16,
    response_code_details LowCardinality(String),
    response_flags LowCardinality(String),
    route_name LowCardinality(String),
    upstream_cluster LowCardinality(String),
    upstream_host LowCardinality(String),
    upstream_local_address String CODEC(ZSTD(1)),
    upstream_service_time String CODEC(ZSTD(1)),
    upstream_transport_failure_reason LowCardinality(String),
    user_agent LowCardinality(String),
    x_forwarded_for String CODEC(ZSTD(1)),
    `client.addr` String CODEC(ZSTD(1)),
    `client.id` LowCardinality(String),
    uri String CODEC(ZSTD(1)),
    request_bytes String CODEC(ZSTD(1)),
    status UInt16,
    response_bytes String CODEC(ZSTD(1)),
    total_ns UInt64,
    processing_ns UInt64,
    host LowCardinality(String),
    kind LowCardinality(String),
    apiVersion LowCardinality(String),
    auditID String CODEC(ZSTD(1)),
    stage LowCardinality(String),
    requestURI String CODEC(ZSTD(1)),
    verb LowCardinality(String),
    user Tuple(username String, groups Array(LowCardinality(String))),
    sourceIPs Array(String),
    userAgent LowCardinality(String),
    objectRef Tuple(resource LowCardinality(String), namespace LowCardinality(String), name String,
                    apiGroup LowCardinality(String), apiVersion LowCardinality(String)),
    responseStatus Tuple(code UInt16),
    requestReceivedTimestamp DateTime64(6, 'UTC'),
    stageTimestamp DateTime64(6, 'UTC'),
    annotations Map(LowCardinality(String), String),
    code UInt16 MATERIALIZED if(response_code > 0, response_code, status),
    duration_ms Float64 MATERIALIZED if(response_code > 0, toFloat64(duration), total_ns / 1000000),
    url_path String MATERIALIZED cutQueryString(if(path != '', path, uri)),
    client_ip String MATERIALIZED splitByChar(':', if(response_code > 0, downstream_remote_address, `client.addr`))[1]
"""

TABLE = f"""
create table logs ({COLUMNS},
    index message_words message type text(tokenizer = 'splitByNonAlpha'),
    index trace_ids trace_id type bloom_filter(0.01) granularity 1
) engine = MergeTree order by (service, `@timestamp`)
"""

# By default ClickHouse acknowledges an insert that only the page cache holds.
FSYNC = " settings fsync_after_insert = 1, fsync_part_directory = 1"
SETTINGS = "settings input_format_skip_unknown_fields = 1, date_time_input_format = 'best_effort'"


def serve(data_dir, port_out):
    """Runs the engine behind HTTP: POST a statement, get its result as text."""
    from chdb import session

    engine = session.Session(str(data_dir))
    lock = threading.Lock()
    engine.query("create database if not exists bench")
    engine.query("use bench")

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body of an answer are two writes; without this the second waits 40 ms for the first one's receipt.
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                with lock:
                    if self.path == "/usage":
                        answer = json.dumps(usage()).encode()
                    else:
                        answer = engine.query(body.decode(), "JSONCompact").bytes() or b""
                self.reply(200, answer)
            except Exception as error:  # The engine raises RuntimeError for everything.
                self.reply(500, str(error)[:2000].encode())

        def reply(self, status, answer):
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port_out.put((server.server_address[1], os.getpid()))
    server.serve_forever()


def usage():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": own.ru_utime + own.ru_stime, "peak_rss": own.ru_maxrss * 1024}


class Client:
    """One keep-alive connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(self, statement, path="/"):
        self.connection.request("POST", path, statement)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(body.decode(errors="replace"))
        return json.loads(body) if body.strip() else None


def blocks(path, size):
    """Statements of about `size` bytes of whole lines, with the count of lines and bytes in each."""
    head = f"insert into logs {SETTINGS} format JSONEachRow\n".encode()
    with open(path, "rb") as file:
        while True:
            lines = file.readlines(size)
            if not lines:
                return
            raw = b"".join(lines)
            yield head + raw, len(lines), len(raw)


def ingest(port, path, size, connections):
    waiting = queue.Queue(maxsize=connections * 2)
    acks, faults = [], []
    total = {"lines": 0, "bytes": 0}
    lock = threading.Lock()

    def send():
        client = Client(port)
        while (block := waiting.get()) is not None:
            statement, lines, raw = block
            started = time.perf_counter()
            try:
                client.ask(statement)
            except Exception as error:
                faults.append(error)
                continue
            with lock:
                acks.append((time.perf_counter() - started) * 1000)
                total["lines"] += lines
                total["bytes"] += raw

    source = blocks(path, size)
    for _ in range(connections):
        if (block := next(source, None)) is not None:
            waiting.put(block)
    threads = [threading.Thread(target=send) for _ in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for block in source:
        waiting.put(block)
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if faults:
        raise faults[0]
    return total, acks, seconds


def settle(client, limit):
    """Waits until no merge runs and the engine does nearly nothing."""
    deadline = time.monotonic() + limit
    quiet, last = 0, client.ask("", "/usage")["cpu"]
    while quiet < 4 and time.monotonic() < deadline:
        time.sleep(0.5)
        merges = int(client.ask("select count() from system.merges")["data"][0][0])
        now = client.ask("", "/usage")["cpu"]
        quiet = quiet + 1 if merges == 0 and now - last <= 0.03 else 0
        last = now


def quantile(values, share):
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, int(len(ordered) * share + 0.999999) - 1))] if ordered else 0.0


def measure_ingest(client, port, options):
    before = client.ask("", "/usage")["cpu"]
    total, acks, seconds = ingest(port, options.file, options.block_mb * 1_000_000, options.connections)
    settle(client, options.settle)
    after = client.ask("", "/usage")
    active = "select sum(bytes_on_disk) from system.parts where active and table = 'logs' and database = 'bench'"
    disk = int(client.ask(active)["data"][0][0])
    cpu = after["cpu"] - before
    return {
        "protocol": "insert-jsoneachrow", "fsync": options.fsync,
        "connections": options.connections, "body_mb": options.block_mb,
        "raw_bytes": total["bytes"], "lines": total["lines"], "seconds": seconds,
        "mb_per_second": total["bytes"] / 1e6 / seconds, "lines_per_second": total["lines"] / seconds,
        "ack_p50_ms": quantile(acks, 0.5), "ack_p99_ms": quantile(acks, 0.99),
        "server_cpu_seconds": cpu, "mb_per_cpu_second": total["bytes"] / 1e6 / max(cpu, 0.01),
        "peak_rss_bytes": after["peak_rss"], "disk_bytes": disk, "raw_per_stored": total["bytes"] / max(disk, 1),
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--file", required=True, help="made by `logkeep-bench generate`")
    parser.add_argument("--data-dir", required=True, type=pathlib.Path, help="a folder that does not exist yet")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the result")
    parser.add_argument("--block-mb", type=int, default=4)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--fsync", action="store_true", help="acknowledge only what is on the disk, as Logkeep does")
    parser.add_argument("--settle", type=float, default=60.0, help="wait at most this long for merges, seconds")
    options = parser.parse_args()
    if options.data_dir.exists():
        parser.error(f"{options.data_dir} exists: figures need an empty folder")
    return options


def main():
    options = arguments()
    context = multiprocessing.get_context("spawn")
    port_out = context.Queue()
    engine = context.Process(target=serve, args=(options.data_dir, port_out), daemon=True)
    engine.start()
    try:
        port, _ = port_out.get(timeout=120)
        client = Client(port)
        client.ask(TABLE + (FSYNC if options.fsync else ""))
        result = {"store": "chdb " + client.ask("select version()")["data"][0][0]}
        result["ingest"] = measure_ingest(client, port, options)
        for name, value in result["ingest"].items():
            print(f"{name:25} {value if isinstance(value, (str, int)) else round(value, 2)}", flush=True)
        print(f"ready: http://127.0.0.1:{port}", flush=True)
        sys.stdin.read()
        result["query_peak_rss_bytes"] = client.ask("", "/usage")["peak_rss"]
    finally:
        engine.terminate()
        engine.join()
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
