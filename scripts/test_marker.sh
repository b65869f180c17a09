#!/bin/sh
# Run the tests that carry one marker: scripts/test_marker.sh MARKER [pytest arguments]. None yet is not a failure.
set -eu
marker=$1
shift
if ! grep -rqs --include='*.py' "mark\.$marker\b" tests; then
    echo "No test carries the marker $marker yet."
    exit 0
fi
exec .venv/bin/pytest -q -m "$marker and not long" "$@"
