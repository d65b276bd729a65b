#!/bin/sh
# Both stores on the same file in the same run, one after the other, and the table with the ratios.
#
#   bench/run.sh WORK_FOLDER PYTHON_WITH_CHDB [LINES]
#
# Needs LINES * 780 bytes, thrice, in WORK_FOLDER.
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,6p' "$0" >&2
    exit 2
fi
work=$1 python=$2 lines=${3:-2000000}
root=$(cd "$(dirname "$0")/.." && pwd)
bench="$root/target/release/logkeep-bench"
file="$work/mesh-$lines.ndjson"
url=http://127.0.0.1:7280

mkdir -p "$work"
(cd "$root" && cargo build --release --quiet)
[ -e "$file.truth.json" ] || "$bench" generate --lines "$lines" --out "$file"
for folder in "$work/logkeep-data" "$work/chdb-data"; do
    if [ -e "$folder" ]; then
        echo "$folder exists: figures need an empty folder, remove it first" >&2
        exit 1
    fi
done

"$root/target/release/logkeep" serve --data-dir "$work/logkeep-data" > "$work/logkeep.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
until curl --silent --fail --output /dev/null "$url/readyz"; do
    kill -0 "$server" || { tail "$work/logkeep.log" >&2; exit 1; }
    sleep 0.1
done
"$bench" ingest --url "$url" --file "$file" --connections 4 --body-mb 2 --pid "$server" \
    --data-dir "$work/logkeep-data" --json "$work/logkeep-ingest.json"
"$bench" query --url "$url" --file "$file" --pid "$server" --json "$work/logkeep-query.json"
kill "$server"
wait "$server" || true
trap - EXIT

"$python" "$root/bench/chdb_driver.py" --file "$file" --data-dir "$work/chdb-data" --json "$work/chdb.json"
"$bench" compare --file "$file" --ours "$work/logkeep-ingest.json" "$work/logkeep-query.json" --peer "$work/chdb.json"
