#!/usr/bin/env bash
# What a refresh costs those who file meanwhile: p99 latency at half load without,
# and while a big CRL is fetched, built and swapped again and again; and the
# server's peak memory against old index + new index + CRL + 64 MB.
#   bench/refresh.sh BIN_DIR WORK_DIR [ENTRIES]
# ENTRIES: 10,000,000 unless given. Every verdict is checked. The server is bound
# to one core and the load generator to another. Exits 1 if a goal is missed.
set -euo pipefail
bin=$(readlink -f "$1")
mkdir -p "$2"
work=$(readlink -f "$2")
entries=${3:-10000000}
seconds=${SECONDS_EACH:-20}

say() { printf '\n== %s\n' "$*"; }

server=
finish() {
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill -TERM "$server"
    wait "$server" || true
  fi
}
trap finish EXIT

say "A lab, and two CRLs of $entries entries each"
"$bin/inkan-lab" init --out "$work/lab" --force --citizens 1000 \
  --municipalities 40 --filings 20000 --seed 1 --listen 127.0.0.1:0 --quiet
for which in a b; do
  [ -s "$work/$which.$entries.crl" ] || "$bin/inkan-lab" crl --quiet \
    --out "$work/$which.$entries.crl" --entries "$entries" \
    --now "$([ $which = a ] && echo 2026-03-15T00:00:00+09:00 || echo 2026-03-15T01:00:00+09:00)"
done
crl_mb=$(($(stat -c %s "$work/a.$entries.crl") / 1000000))
# A profile of its own believes the big CRLs, so that they are linked, too.
cp "$work/a.$entries.crl.issuer.cer" "$work/lab/anchors/big.cer"
cat >>"$work/lab/inkand.textproto" <<CONFIG
profiles {
  name: "big"
  anchor_files: "anchors/big.cer"
}
CONFIG
cp "$work/a.$entries.crl" "$work/lab/crls/big.crl"

rm -f "$work/port"
taskset -c 0 "$bin/inkand" --config "$work/lab/inkand.textproto" \
  --port-file "$work/port" >"$work/inkand.log" 2>&1 &
server=$!
for _ in $(seq 1200); do
  [ -s "$work/port" ] && break
  kill -0 "$server" 2>/dev/null || { cat "$work/inkand.log"; exit 1; }
  sleep 0.1
done
target=127.0.0.1:$(cat "$work/port")
load=(taskset -c 1 "$bin/inkan-load" --target "$target"
  --corpus "$work/lab/corpus.binpb" --mode unary --connections 2)

memory_mb() { awk -v key="$1:" '$1 == key { print int($2 / 1000) }' "/proc/$server/status"; }
resident_mb=$(memory_mb VmRSS)

say "The most it does, to know what half of it is"
"${load[@]}" --duration 10s --format json >"$work/max.json"
rate=$(tr -d ' \n' <"$work/max.json" |
  grep -o '"filings_per_second":[0-9.e+-]*' | head -1 | cut -d: -f2)
half=$(awk -v r="$rate" 'BEGIN { printf "%d", r / 2 }')
echo "$rate filings a second; half is $half"

p99_of() {
  tr -d ' \n' <"$1" | grep -o '"latency_ms":{[^}]*}' | head -1 |
    grep -o '"p99":[0-9.e+-]*' | cut -d: -f2
}

say "Half load, $seconds seconds, nothing else"
"${load[@]}" --rate "$half" --duration "${seconds}s" --warmup 2s --format json \
  >"$work/quiet.json"
quiet=$(p99_of "$work/quiet.json")

say "Half load, $seconds seconds, the CRL replaced every few seconds"
echo 5 >"/proc/$server/clear_refs" # forget the peak so far
(
  which=b
  while :; do
    cp "$work/$which.$entries.crl" "$work/lab/crls/.big.crl"
    mv "$work/lab/crls/.big.crl" "$work/lab/crls/big.crl"
    [ $which = a ] && which=b || which=a
    sleep 5
  done
) &
swapper=$!
"${load[@]}" --rate "$half" --duration "${seconds}s" --warmup 2s --format json \
  >"$work/busy.json" || { kill "$swapper"; exit 1; }
kill "$swapper"
wait "$swapper" 2>/dev/null || true
busy=$(p99_of "$work/busy.json")
peak_mb=$(memory_mb VmHWM)

index_mb=$("$bin/inkan" crl inspect "$work/a.$entries.crl" |
  awk '$1 == "entries" { print int($2 * $3 / 1000000) + 1 }')
base_mb=$((resident_mb - index_mb))
allowed_mb=$((base_mb + 2 * index_mb + crl_mb + 64))
ratio=$(awk -v a="$quiet" -v b="$busy" 'BEGIN { printf "%.2f", b / a }')
say "p99 $quiet ms quiet, $busy ms while refreshing: $ratio times (goal: at most 1.5)"
echo "memory: $resident_mb MB at rest, peak $peak_mb MB; at rest + an index" \
  "($index_mb MB) + the CRL ($crl_mb MB) + 64 MB are $allowed_mb MB"
awk -v r="$ratio" -v p="$peak_mb" -v a="$allowed_mb" \
  'BEGIN { exit !(r <= 1.5 && p <= a) }'
