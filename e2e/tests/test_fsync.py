"""The system calls of one ingest: the log's bytes are synced to the disk before the first byte of the answer leaves."""

import re

import pytest

from support.wait import until

CALLS = "read,readv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync,io_uring_enter"
START = re.compile(r"^\d+\s+[\d.]+ (?P<call>\w+)\((?P<rest>.*)$")
RESUMED = re.compile(r"^\d+\s+[\d.]+ <\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)$")


class Trace:
    """What `strace -f` wrote: a line at the start of each call, and another at its end if others came between."""

    def __init__(self, text):
        self.lines = text.splitlines()

    def thread(self, at):
        return self.lines[at].split()[0]

    def completed(self, at):
        """The line on which the call that begins on line `at` had returned; its result must be success."""
        line = self.lines[at]
        if "<unfinished ...>" in line:
            thread = self.thread(at)
            at = next(
                later
                for later in range(at + 1, len(self.lines))
                if self.thread(later) == thread and "resumed>" in self.lines[later]
            )
        assert re.search(r"= \d+", self.lines[at]), self.lines[at]
        return at

    def find(self, pattern, after=-1):
        return [at for at in range(after + 1, len(self.lines)) if re.search(pattern, self.lines[at])]


@pytest.mark.parametrize("attempt", range(3))
def test_the_log_is_synced_before_the_answer(make_server, tmp_path, word, say, attempt):
    out = tmp_path / "trace"
    strace = ["strace", "-f", "-ttt", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(out)]
    server = make_server(settings="log:\n  level: error\n", wrap=strace).start()
    assert server.ingest([{"message": f"{word} {attempt}"}])["stored"] == 1
    answered = lambda: re.search(r'\\"stored\\":1', out.read_text(errors="replace"))
    until(answered, "the trace shows the answer")
    trace = Trace(out.read_text(errors="replace"))

    request = trace.find(re.escape(word))
    assert request, "the trace shows no read of the request"
    answer = trace.find(r"HTTP/1\.1 200 OK.*\\\"stored\\\":1|\\\"stored\\\":1", request[0])
    assert answer, "the trace shows no answer"
    answer = answer[0]
    written = [at for at in trace.find(r" (write|pwrite64|writev|pwritev)\(\d+<[^>]*\.wal>", request[0]) if at < answer]
    assert written, "nothing was written to the log between request and answer"
    synced = [at for at in trace.find(r" (fdatasync|fsync)\(\d+<[^>]*\.wal>", trace.completed(written[0]))]
    assert synced, "the log was never synced"
    done = trace.completed(synced[0])
    assert done < answer, "\n".join(["answered before the sync was done:", *trace.lines[request[0] : done + 1]])
    first_byte = trace.find(r" (write|writev|sendto|sendmsg)\(\d+<(TCP|socket)[^>]*>.*HTTP/1\.1 200 OK", request[0])[0]
    assert done < first_byte
    say(f"fsync: request on line {request[0]}, log written {written[0]}, synced {done}, answer {first_byte}")
