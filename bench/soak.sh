#!/usr/bin/env bash
# A soak: inkand at 80 % of what it can do, in every call style, for a time; its
# memory is looked at every second and must stay flat, every verdict must be right.
#   bench/soak.sh [MINUTES [BIN_DIR [WORK_DIR]]]     (20 minutes)
# SOAK_GROWTH_MAX_MIB  growth that still counts as flat, over the time after the
#                      first quarter (8: an allocator's arenas settle for long)
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
minutes=${1:-20}
bin=$(readlink -f "${2:-$here/../build/release/bin}")
work=${3:-$here/../build/soak}
mkdir -p "$work"
work=$(readlink -f "$work")
growth_max=${SOAK_GROWTH_MAX_MIB:-8}
seconds=$(awk "BEGIN { printf \"%d\", $minutes * 60 }")
measure=$((seconds < 100 ? seconds / 10 + 1 : 10))
. "$here/server_lib.sh"
loader=
end_all() {
  if [ -n "$loader" ] && kill -0 "$loader" 2>/dev/null; then kill -INT "$loader"; fi
  finish
}
trap end_all EXIT

say "A lab"
"$bin/inkan-lab" init --out "$work/lab" --force --quiet \
  --citizens "${SOAK_CITIZENS:-5000}" --filings "${SOAK_FILINGS:-20000}" \
  --municipalities 40 --seed 1 --listen 127.0.0.1:0
start_server "$work/lab/inkand.textproto"

mix="--mix unary=0.2,batch=0.4,stream=0.4 --batch-size 64 --connections 4"
say "Capacity, for $measure s: $pinned"
# shellcheck disable=SC2086
load capacity $mix --warmup 1s --duration "${measure}s"
capacity=$(field capacity per_second)
rate=$(calc "0.8 * $capacity")
if ! awk "BEGIN { exit !($rate > 0) }"; then
  echo "  FAILED: no capacity was measured ($work/capacity.csv)"
  exit 1
fi
say "$seconds s at $rate filings a second, 80 % of $capacity"
# shellcheck disable=SC2086
load_cpu "$bin/inkan-load" --target "$target" --corpus "$work/lab/corpus.binpb" \
  $mix --rate "$rate" --arrivals poisson --duration "${seconds}s" \
  --html "$work/soak.html" >"$work/soak.txt" &
loader=$!
began=$(date +%s)
echo "second,resident_kib" >"$work/resident.csv"
while kill -0 "$loader" 2>/dev/null; do
  printf '%s,%s\n' "$(($(date +%s) - began))" \
    "$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status")" >>"$work/resident.csv"
  sleep 1
done
status=0
wait "$loader" || status=$?
loader=
cat "$work/soak.txt"

# Least squares over what comes after the first quarter.
read -r growth mean samples <<<"$(awk -F, -v from="$(calc "$seconds / 4")" '
  NR > 1 && $1 >= from && $2 != "" {
    n += 1; sx += $1; sy += $2; sxx += $1 * $1; sxy += $1 * $2
    if (first == "") first = $1
    last = $1
  }
  END {
    d = n * sxx - sx * sx
    slope = d > 0 ? (n * sxy - sx * sy) / d : 0
    printf "%.2f %.1f %d", slope * (last - first) / 1024, n ? sy / n / 1024 : 0, n
  }' "$work/resident.csv")"
say "Verdict"
echo "  memory: $mean MiB on the average, $growth MiB of growth by slope over $samples" \
  "samples ($work/resident.csv)"
failed=0
if [ "$status" = 1 ] || [ "$status" -ge 64 ]; then
  echo "  FAILED: verdicts were wrong or lost, or the load ended early (exit $status)"
  failed=1
elif [ "$status" = 2 ]; then
  echo "  note: at 80 % some filings were refused or not sent in time"
fi
if ! kill -0 "$server" 2>/dev/null; then
  echo "  FAILED: the server is gone"
  failed=1
fi
if awk "BEGIN { exit !($growth > $growth_max) }"; then
  echo "  FAILED: memory is not flat: more than $growth_max MiB"
  failed=1
fi
[ "$failed" = 0 ] && echo "  flat memory, every verdict right"
exit "$failed"
