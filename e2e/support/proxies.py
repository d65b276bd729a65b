"""Real proxies that log over syslog: HAProxy and nginx, each before a little server of ours."""

import http.server
import subprocess
import threading
from pathlib import Path

from .http import Connection
from .ports import free_port
from .wait import until


class Backend(http.server.ThreadingHTTPServer):
    """Answers every request with 200, or with the status that the path ends with."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            last = self.path.split("?")[0].rsplit("/", 1)[1]
            self.send_response(int(last) if last.isdigit() else 200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Proxy:
    """A proxy in the foreground, with a configuration made of its port and the backend's."""

    def __init__(self, folder, name, command, config):
        self.folder = Path(folder) / name
        self.folder.mkdir()
        self.port, self.backend = free_port(), Backend()
        path = self.folder / "config"
        path.write_text(config.format(port=self.port, backend=self.backend.port, folder=self.folder))
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen([*command, str(path)], stdout=log, stderr=log)

    def __enter__(self):
        until(self.answers, lambda: f"it answers; it said: {(self.folder / 'log').read_text()[-2000:]}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.backend.shutdown()

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            return self.get("/ready") == 200
        except OSError:
            return False

    def get(self, path, **headers):
        with Connection(f"http://127.0.0.1:{self.port}") as connection:
            return connection.get(path, **headers).status


def haproxy(folder, log, rings=""):
    config = f"""
{rings}
global
  log {log} format rfc5424 local0
  log-tag edge-proxy
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend web
  bind 127.0.0.1:{{port}}
  default_backend app
backend app
  server one 127.0.0.1:{{backend}}
"""
    return Proxy(folder, "haproxy", ["haproxy", "-db", "-f"], config)


def haproxy_over_tcp(folder, server):
    """Over TCP it logs through a ring that a server empties."""
    ring = f"""ring tcplog
  format rfc5424
  maxlen 4096
  size 1048576
  timeout connect 5s
  timeout server 10s
  server log {server} log-proto octet-count
"""
    return haproxy(folder, "ring@tcplog", rings=ring)


def nginx(folder, log, form):
    config = f"""
daemon off;
master_process off;
pid {{folder}}/pid;
error_log {{folder}}/error.log;
events {{{{}}}}
http {{{{
  log_format ours escape=json '{form}';
  access_log syslog:server={log},tag=nginx,severity=info ours;
  client_body_temp_path {{folder}}; proxy_temp_path {{folder}}; fastcgi_temp_path {{folder}}; uwsgi_temp_path {{folder}}; scgi_temp_path {{folder}};
  server {{{{
    listen 127.0.0.1:{{port}};
    location / {{{{ proxy_pass http://127.0.0.1:{{backend}}; }}}}
  }}}}
}}}}
"""
    return Proxy(folder, "nginx", ["nginx", "-c"], config)
