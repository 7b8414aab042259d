#!/bin/sh
# kernel_symbols_test.sh LIBRARY: every object of the library that is named for
# an instruction set defines its one table and nothing else that another object
# could link to.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
kernels=$(ar t "$1" | grep -E '_(avx2|avx512[a-z]*|shani)\.cc\.o$')
test -n "$kernels" || { echo "no kernel objects in $1"; exit 1; }
for object in $kernels; do
  ar x "$1" "$object"
  # Upper case is global; V, W, v, w and u are weak or unique. U is undefined.
  found=$(nm -C --defined-only "$object" |
    grep -E ' [A-TV-Zuvw] ' | grep -vE ' [DR] inkan::k[A-Za-z0-9]+Kernel$' || true)
  if [ -n "$found" ]; then
    echo "$object defines more than its table:"
    echo "$found"
    exit 1
  fi
  nm -C --defined-only "$object" | grep -qE ' [DR] inkan::k[A-Za-z0-9]+Kernel$' ||
    { echo "$object defines no table"; exit 1; }
  echo "$object: one table"
done
