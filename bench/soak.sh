#!/usr/bin/env bash
# A soak: inkand at 80 % of what it can do, in every call style, for a time, with the
# audit log on. Every half minute a CRL is replaced, and all is read again on SIGHUP, so
# that snapshots come and go. Its memory is looked at every second and must stay flat,
# every verdict must be right, every verdict must have its line.
#   bench/soak.sh [MINUTES [BIN_DIR [WORK_DIR]]]     (20 minutes)
# SOAK_CHANGE_EVERY    seconds between the changes (30)
# SOAK_CRL_ENTRIES     entries of the CRL that is replaced, one nobody's filing asks
#                      for (100,000)
# SOAK_GROWTH_MAX_MIB  growth that still counts as flat, over the time after the
#                      first quarter (8: an allocator's arenas settle for long)
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
minutes=${1:-20}
bin=$(readlink -f "${2:-$here/../build/release/bin}")
work=${3:-$here/../build/soak}
mkdir -p "$work"
work=$(readlink -f "$work")
change_every=${SOAK_CHANGE_EVERY:-30}
entries=${SOAK_CRL_ENTRIES:-100000}
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
# Two CRLs of one CA, in turn, each newer than the one before: built and let go of
# every time. A profile of its own believes them.
nth_crl() { # N: makes it, and puts it in place in one step
  local at
  at=$(date -u -d "2026-03-15 00:00:00 UTC + $1 minutes" +%Y-%m-%dT%H:%M:%SZ)
  load_cpu "$bin/inkan-lab" crl --quiet --out "$work/next.crl" --entries "$entries" --now "$at"
  mv "$work/next.crl" "$work/lab/crls/.big.crl"
  mv "$work/lab/crls/.big.crl" "$work/lab/crls/big.crl"
}
nth_crl 0
cp "$work/next.crl.issuer.cer" "$work/lab/anchors/big.cer"
cat >>"$work/lab/inkand.textproto" <<CONFIG
profiles { name: "big" anchor_files: "anchors/big.cer" }
audit_log { file: "audit.log" rotate_bytes: 100000000 }
ops_http { address: "127.0.0.1:0" }
CONFIG
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
change() { # N
  nth_crl "$1"
  kill -HUP "$server"
  rm -f "$work"/lab/audit.log.2* # gigabytes, and only their number matters here
}
changes=0
began=$(date +%s)
echo "second,resident_kib" >"$work/resident.csv"
while kill -0 "$loader" 2>/dev/null; do
  printf '%s,%s\n' "$(($(date +%s) - began))" \
    "$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status")" >>"$work/resident.csv"
  if [ $(($(date +%s) - began)) -ge $(((changes + 1) * change_every)) ]; then
    change $((changes += 1))
  fi
  sleep 1
done
status=0
wait "$loader" || status=$?
loader=
cat "$work/soak.txt"
# metric NAME: the sum of its samples.
metric() {
  { exec 3<>"/dev/tcp/127.0.0.1/$(sed -n 3p "$work/port")" &&
    printf 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && cat <&3; } |
    awk -v name="$1" '{ at = $1; sub(/{.*/, "", at) } at == name { n += $NF } END { printf "%.0f", n }'
}
for _ in $(seq 300); do # the last change may be under way
  generation=$(metric inkan_snapshot_generation)
  [ "$generation" -gt "$changes" ] && break
  sleep 0.1
done
verdicts=$(metric inkan_verdicts_total) lines=$(metric inkan_audit_lines_total)

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
echo "  changes: $changes CRLs of $entries entries and SIGHUPs," \
  "snapshot $generation; $lines lines of audit log for $verdicts verdicts"
if [ "$generation" -le "$changes" ] || grep 'reload refused' "$work/inkand.log" ||
  { [ "$changes" = 0 ] && [ "$seconds" -gt $((2 * change_every)) ]; }; then
  echo "  FAILED: not every change was taken ($work/inkand.log)"
  failed=1
fi
if [ "$lines" != "$verdicts" ]; then
  echo "  FAILED: the audit log has not a line for each verdict"
  failed=1
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
