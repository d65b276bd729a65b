#!/usr/bin/env bash
# The end-to-end tests: the built program, real senders, kill -9, damaged files, a browser. Arguments go to pytest.
# Ends with pytest's own summary. Longer runs:
#   E2E_KILL9_ROUNDS=50 E2E_FLIPS=200 E2E_CANARIES=10000 E2E_FRESH=1000
#   E2E_PREDICATES=1000 e2e/run.sh
set -euo pipefail
cd "$(dirname "$0")"

export LOGKEEP_BIN="$(realpath "${LOGKEEP_BIN:-../target/debug/logkeep}")"
if [ ! -x "$LOGKEEP_BIN" ]; then
  echo "there is no $LOGKEEP_BIN: run \`cargo build\` first, or name a binary with LOGKEEP_BIN" >&2
  exit 2
fi

# Debian packages, by a program or file of each.
missing=()
need() { [ -e "$1" ] || missing+=("$2"); }
need /usr/sbin/rsyslogd rsyslog
need "/usr/lib/$(uname -m)-linux-gnu/rsyslog/omelasticsearch.so" rsyslog-elasticsearch
need "/usr/lib/$(uname -m)-linux-gnu/rsyslog/omrelp.so" rsyslog-relp
need "/usr/lib/$(uname -m)-linux-gnu/rsyslog/lmnsd_gtls.so" rsyslog-gnutls
need "/usr/lib/$(uname -m)-linux-gnu/rsyslog/lmnsd_ossl.so" rsyslog-openssl
need /usr/sbin/nats-server nats-server
need /usr/sbin/haproxy haproxy
need /usr/sbin/nginx nginx-light
need /lib/systemd/systemd-journal-upload systemd-journal-remote
need /usr/bin/systemd-analyze systemd
command -v strace >/dev/null || missing+=(strace)
command -v curl >/dev/null || missing+=(curl)
command -v openssl >/dev/null || missing+=(openssl)
command -v faketime >/dev/null || missing+=(faketime)
[ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || missing+=(chromium)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Libraries, again only when what they are pinned to has changed.
if ! cmp -s requirements.txt .venv/installed; then
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/pip install -q --disable-pip-version-check --no-deps -r requirements.txt
  cp requirements.txt .venv/installed
fi
if ! cmp -s node/package-lock.json node/node_modules/.installed; then
  (cd node && npm ci --no-audit --no-fund --loglevel=error)
  cp node/package-lock.json node/node_modules/.installed
fi
# An S3-compatible server over a folder, quickly compiled.
s3s=0.14.1
if [ "$(cat .tools/s3s-fs 2>/dev/null)" != "$s3s" ]; then
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 cargo install --quiet --locked s3s-fs --version "=$s3s" --features binary --root .tools
  echo "$s3s" > .tools/s3s-fs
fi
[ -d ../ui/node_modules/playwright-core ] || (cd ../ui && npm ci --no-audit --no-fund --loglevel=error)

exec .venv/bin/python -m pytest "$@"
