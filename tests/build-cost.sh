#!/usr/bin/env bash
# What a step of a workflow costs to compile: CPU seconds (user + system) of
# checking and of building the file of the test `large`, against the same file
# with 100 steps. Best of so many runs, in alternation; dependencies are built
# before. Not against no workflow at all: the first one brings the engine into
# the program and all tasks of the file, which is what no further step costs.
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

# CPU seconds for the file with so many steps.
build() {
    local size=$1
    shift
    export LARGE_STEPS=$size
    # What changes with the number is built before, and is not measured.
    cargo "$@" --test large
    touch large/main.rs
    cpu cargo "$@" --test large
}

few=100
if ((steps <= few)); then
    echo "$steps steps are too few: more than $few" >&2
    exit 2
fi
for command in check "test --no-run"; do
    for _ in $(seq "$runs"); do
        for size in "$few" "$steps"; do
            # shellcheck disable=SC2086 # two words on purpose
            echo "$size $(build "$size" $command)"
        done
    done | awk -v command="$command" -v few="$few" -v steps="$steps" '
        !($1 in least) || $2 < least[$1] { least[$1] = $2 }
        END {
            printf "%-14s %7.2f s with %d, %7.2f s with %d: %.3f ms a step\n", command, least[steps], steps,
                least[few], few, (least[steps] - least[few]) * 1000 / (steps - few)
        }'
done
