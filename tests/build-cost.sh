#!/usr/bin/env bash
# What a step of a workflow costs to compile: CPU seconds (user + system) of
# checking and of building the file of the test `large`, against the same file
# without its workflow. Best of so many runs; dependencies are built before.
#
#   tests/build-cost.sh [steps] [runs]
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
steps=${1:-1000}
runs=${2:-5}
export CARGO_INCREMENTAL=0 CARGO_TERM_QUIET=true

# CPU seconds of one command.
cpu() {
    local TIMEFORMAT='%U %S'
    { time "$@" >/dev/null; } 2>&1 | awk '{ print $1 + $2 }'
}

# The least CPU seconds for the file with so many steps.
least() {
    local size=$1 least=
    shift
    export LARGE_STEPS=$size
    cargo "$@" --test large
    for _ in $(seq "$runs"); do
        touch large/main.rs
        local took
        took=$(cpu cargo "$@" --test large)
        least=$(printf '%s\n%s\n' "${least:-$took}" "$took" | sort -g | head -1)
    done
    echo "$least"
}

for command in check "test --no-run"; do
    # shellcheck disable=SC2086 # two words on purpose
    without=$(least 0 $command)
    # shellcheck disable=SC2086
    with=$(least "$steps" $command)
    awk -v command="$command" -v with="$with" -v without="$without" -v steps="$steps" 'BEGIN {
        printf "%-14s %7.2f s with, %7.2f s without: %.3f ms a step\n",
            command, with, without, (with - without) * 1000 / steps
    }'
done
