#!/usr/bin/env bash
# Dependencies point one way: crypto <- cache <- server -> proto, client -> proto.
# Checks every include line of the folders against that, and the rules for kernel
# files. `inkan --local` judges in process, so client may use server.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
failures=0

# may_include FOLDER REGEX: quoted includes of FOLDER must match REGEX.
may_include() {
  local bad
  bad=$(grep -rnE '^#include "' --include='*.h' --include='*.cc' "$1" |
    grep -vE "#include \"($2)" || true)
  if [ -n "$bad" ]; then
    echo "$1/ may include only $2:"
    echo "$bad"
    failures=$((failures + 1))
  fi
}

third_party='absl/|gtest/|gmock/|google/protobuf/|google/rpc/|grpc/health/|grpcpp/'
may_include crypto 'crypto/|absl/'
may_include cache 'cache/|crypto/|absl/'
may_include server "server/|cache/|crypto/|inkan/v1/|inkan/config/|$third_party"
may_include client "client/|server/|cache/|crypto/|inkan/v1/|$third_party"
may_include bench/lab "bench/lab/|crypto/der.h|inkan/v1/|inkan/lab/|$third_party"

# No protobuf, gRPC, threads, clock or files in crypto.
if grep -nE '#include <(thread|mutex|chrono|fstream|filesystem|grpc|google)' \
    crypto/*.h crypto/*.cc; then
  echo "crypto/ has no I/O, no clock, no threads, no protobuf, no gRPC"
  failures=$((failures + 1))
fi

# gRPC belongs to the few files that speak it.
if grep -rlE '#include [<"](grpcpp|grpc)/' server/verifier*.* server/batcher.* \
    server/convert.* server/config*.* cache crypto; then
  echo "these files must not know gRPC"
  failures=$((failures + 1))
fi

# A kernel that shares an inline function with the rest of the program could
# bring its instruction set to machines that lack it.
for kernel in crypto/*_avx512*.cc crypto/*_shani*.cc; do
  [ -e "$kernel" ] || continue
  if grep -nE '^#include' "$kernel" |
      grep -vE '<(immintrin\.h|cstdint|cstddef)>|"crypto/[a-z0-9_]*kernels\.h"'; then
    echo "$kernel: only <immintrin.h>, <cstdint>, <cstddef> and the kernel table"
    failures=$((failures + 1))
  fi
done

[ "$failures" = 0 ] && echo "include lines are in order"
exit "$failures"
