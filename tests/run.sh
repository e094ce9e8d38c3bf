#!/usr/bin/env bash
# All tests: the pure ones on two cores, then those with real servers, one after another. Arguments go to pytest.
# The last lines say what was left out because ../shared is not beside this folder.
set -uo pipefail
cd "$(dirname "$0")/.."
pytest=(.venv/bin/python -m pytest)
left_out=$(mktemp)
trap 'rm -f "$left_out"' EXIT
outcome=0

run() {
    "${pytest[@]}" --left-out-file "$left_out" "$@"
    local code=$?
    # 5: nothing was selected, which is in order when the arguments select.
    if [[ $code -ne 0 && ! ($code -eq 5 && $selected -gt 0) ]]; then outcome=$code; fi
}

selected=$#
run tests/unit -n 2 "$@"
[[ $outcome -ge 2 && $outcome -ne 5 ]] && exit "$outcome" # interrupted, or pytest itself failed
run tests --ignore=tests/unit "$@"

if [[ -s $left_out ]]; then
    echo
    echo "Left out, because ../shared is not here ($(wc -l <"$left_out") tests):"
    sed 's/^/  /' "$left_out"
fi
exit "$outcome"
