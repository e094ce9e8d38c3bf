#!/usr/bin/env bash
# All tests: those with real servers, three files at a time, each with servers of its own; and the pure ones beside
# them, at the lowest priority: they take what processor time the others leave while they wait. What the pure ones say
# comes first. Arguments go to pytest; files or folders among them are run instead of everything.
# The last lines say what was left out because ../shared is not beside this folder.
set -uo pipefail
cd "$(dirname "$0")/.."
pytest=(.venv/bin/python -m pytest)
left_out=$(mktemp)
pure=$(mktemp)
pure_pid=
trap '[[ -n $pure_pid ]] && kill "$pure_pid" 2>/dev/null; rm -f "$left_out" "$pure"' EXIT
outcome=0

judge() {
    # 5: nothing was selected, which is in order when the arguments select.
    if [[ $1 -ne 0 && ! ($1 -eq 5 && $selected -gt 0) ]]; then outcome=$1; fi
}

selected=$#
named=0
for argument in "$@"; do [[ -e ${argument%%::*} ]] && named=1; done

if [[ $named -eq 1 ]]; then
    "${pytest[@]}" --left-out-file "$left_out" "$@"
    judge $?
else
    # A cache each: of two that run at once, the one that ends last would forget what failed in the other. And time to
    # wait: they compute, and nothing else can hold them.
    nice -n 19 "${pytest[@]}" --left-out-file "$left_out" -o cache_dir=.pytest_cache/pure \
        tests/unit -n 2 --timeout 1200 "$@" >"$pure" 2>&1 &
    pure_pid=$!
    # The longest files begin first (tests/conftest.py), not those with the most tests.
    "${pytest[@]}" --left-out-file "$left_out" -o cache_dir=.pytest_cache/servers \
        tests --ignore=tests/unit -n 3 --dist loadfile --no-loadscope-reorder "$@"
    code=$?
    [[ $code -eq 2 ]] && exit 2 # interrupted
    judge $code
    wait "$pure_pid"
    judge $?
    pure_pid=
    cat "$pure"
fi

if [[ -s $left_out ]]; then
    echo
    echo "Left out, because ../shared is not here ($(wc -l <"$left_out") tests):"
    sed 's/^/  /' "$left_out"
fi
exit "$outcome"
