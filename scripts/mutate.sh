#!/bin/sh
# Mutation testing: change one operator, number or decorator of a module at a time, run the tests that are about
# it, and list the changes that no test noticed. Takes minutes to hours for a module; changes the file in place and
# puts it back, so commit first.
#
#     scripts/mutate.sh search/ranking.py
set -eu
cd "$(dirname "$0")/.."
module=${1:?name a module, for instance imaging/bands.py}
case $module in
    search/*) tests="tests/search tests/conformance" ;;
    imaging/bands.py) tests="tests/imaging/test_signatures.py tests/conformance/test_search.py" ;;
    imaging/*) tests=tests/imaging ;;
    workers/ledger/*) tests="tests/workers/test_ledger.py tests/workers/test_invalid.py" ;;
    facsimile/api/*) tests=tests/facsimile/api ;;
    ingest/addresses.py) tests="tests/ingest/test_addresses.py tests/ingest/test_fetch.py" ;;
    ingest/*) tests=tests/ingest ;;
    *) tests=tests ;;
esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/config.toml" <<TOML
[cosmic-ray]
module-path = "$module"
timeout = 300.0
excluded-modules = []
test-command = ".venv/bin/pytest -n 0 -x -q -p no:cacheprovider -m 'not service and not slow' $tests"
[cosmic-ray.distributor]
name = "local"
TOML
.venv/bin/cosmic-ray init "$folder/config.toml" "$folder/session.sqlite"
.venv/bin/cosmic-ray exec "$folder/config.toml" "$folder/session.sqlite"
.venv/bin/cr-report --surviving-only --show-diff "$folder/session.sqlite"
