#!/usr/bin/env bash
# Installs what the tests need, then runs all of them. The one test command: the README and CI call it.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TERM_COLOR=never

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step "tools"
# From nothing 11 GB are built, and the tests need libraries and folders beside. Less may do where it is built already.
free_gb=$(df --output=avail --block-size=1G . | tail -1 | tr -d ' ')
[ "$free_gb" -ge 20 ] || echo "only $free_gb GB are free here: the tests may end with a full disk" >&2
if ! command -v chromium >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
rustup component add rustfmt clippy >/dev/null 2>&1 || true

step "format"
cargo fmt --all --check

step "tidy"
cargo xtask tidy

step "what is linked: a list of it, and what may be"
cargo xtask sbom target/logkeep.cdx.json
if ! cargo deny --version >/dev/null 2>&1; then
  # It runs for a second, so it need not be fast.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off cargo install --locked --quiet cargo-deny
fi
# The database of advisories is on a server of its own. What could not be fetched is said, not passed over.
if cargo deny fetch db >/dev/null 2>&1; then
  cargo deny --log-level error check
else
  echo "the database of advisories cannot be fetched here: known vulnerabilities are NOT checked"
  cargo deny --log-level error check bans licenses sources
fi

step "build"
cargo build --workspace --all-targets

step "tests"
cargo test --workspace --no-fail-fast

step "lints"
cargo clippy --workspace --all-targets -- -D warnings

step "fuzz: every decoder for two seconds, from its corpus"
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
cargo xtask fuzz --check --seconds 2

step "console: unit tests, and the committed build is current"
(
  cd ui
  npm ci --no-audit --no-fund --loglevel=error
  npm test
  npm run build
)
git diff --exit-code --stat -- ui/dist
if [ -n "$(git ls-files --others --exclude-standard ui/dist)" ]; then
  echo "ui/dist has files that are not committed" >&2
  exit 1
fi

step "console in a browser: every state, against recorded answers, and pictures of them"
(cd ui && npm run e2e)
# For people to look at. What a machine can tell fails: errors of the page, and what is cut off.
pictures=$(realpath -m "${CI_ARTIFACTS:-${CARGO_TARGET_DIR:-target}}/console")
(cd ui && npm run --silent shots -- "$pictures")

step "end to end: the program, its senders, a browser"
e2e/run.sh

step "done"
