#!/bin/sh
# run_with_isa.sh ISA PROBE TEST: runs TEST with INKAN_ISA=ISA, or says why this
# machine cannot and exits with 77, which ctest counts as skipped.
export INKAN_ISA="$1"
"$2" || exit $?
exec "$3" --gtest_brief=1
