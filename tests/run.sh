#!/usr/bin/env bash
# All tests: the pure ones on two cores, then those with real servers, which mostly wait: three files at a time, each
# with servers of its own. Arguments go to pytest; files or folders among them are run instead of everything.
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
named=0
for argument in "$@"; do [[ -e ${argument%%::*} ]] && named=1; done

if [[ $named -eq 1 ]]; then
    run "$@"
else
    run tests/unit -n 2 "$@"
    if [[ $outcome -le 1 || $outcome -eq 5 ]]; then # not interrupted, and pytest itself is in order
        run tests --ignore=tests/unit -n 3 --dist loadfile "$@"
    fi
fi

if [[ -s $left_out ]]; then
    echo
    echo "Left out, because ../shared is not here ($(wc -l <"$left_out") tests):"
    sed 's/^/  /' "$left_out"
fi
exit "$outcome"
