#!/usr/bin/env bash
# What a refresh costs those who file meanwhile: p99 latency at half load without, and
# while a big CRL is fetched over HTTP, built and swapped again and again; and the
# server's peak memory against old index + new index + CRL + 64 MB. At last the server
# is killed, and started again with what it has kept.
#   bench/refresh.sh BIN_DIR WORK_DIR [ENTRIES]
# ENTRIES: 10,000,000 unless given. Every verdict is checked, and every CRL has to come
# into force. The server is bound to one core, the load generator and nginx, which
# serves the CRL, to another. Exits 1 if a goal is missed.
# SECONDS_EACH        how long each load runs (20)
# REFRESH_EVERY       seconds between two CRLs (5)
# REFRESH_RATIO_MAX   what p99 may become (1.5 times)
# RESTART_SECONDS_MAX how long a killed server may take to its next verdict (1)
# REFRESH_CITIZENS, REFRESH_FILINGS   size of the lab (1,000 and 20,000)
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
bin=$(readlink -f "$1")
mkdir -p "$2"
work=$(readlink -f "$2")
entries=${3:-10000000}
seconds=${SECONDS_EACH:-20}
ratio_max=${REFRESH_RATIO_MAX:-1.5}
restart_max=${RESTART_SECONDS_MAX:-1}
every=${REFRESH_EVERY:-5}
. "$here/server_lib.sh"
PATH=$PATH:/usr/sbin
if ! command -v nginx >/dev/null; then
  echo "nginx is not here: apt-get install nginx-light" >&2
  [ "${CI:-}" != true ] || exit 1
  exit 77
fi
swapper=
end_all() {
  if [ -n "$swapper" ]; then kill "$swapper" 2>/dev/null || true; fi
  finish
  if [ -s "$work/nginx/pid" ]; then kill "$(cat "$work/nginx/pid")" || true; fi
}
trap end_all EXIT

# One for the start, one for each change, each newer than the one before.
crls=$(((seconds + 2) / every + 2))
say "A lab, and $crls CRLs of $entries entries each"
"$bin/inkan-lab" init --out "$work/lab" --force --citizens "${REFRESH_CITIZENS:-1000}" \
  --municipalities 40 --filings "${REFRESH_FILINGS:-20000}" --seed 1 \
  --listen 127.0.0.1:0 --quiet
for n in $(seq "$crls"); do
  [ -s "$work/$n.$entries.crl" ] || "$bin/inkan-lab" crl --quiet \
    --out "$work/$n.$entries.crl" --entries "$entries" \
    --now "$(date -u -d "2026-03-15 UTC + $n minutes" +%Y-%m-%dT%H:%M:%SZ)"
done
crl_mb=$(($(stat -c %s "$work/1.$entries.crl") / 1000000))

rm -rf "$work/www" "$work/nginx" # a link to the same file cannot be renamed over it
mkdir -p "$work/www" "$work/nginx"
put_crl() { # N: in one step
  ln -f "$work/$1.$entries.crl" "$work/www/.big.crl"
  touch "$work/www/.big.crl" # Last-Modified and ETag of its own
  mv "$work/www/.big.crl" "$work/www/big.crl"
}
put_crl 1
temporary=$(for kind in client_body proxy fastcgi uwsgi scgi; do
  echo "${kind}_temp_path $work/nginx/$kind;"
done)
served=
for _ in $(seq 20); do # until a port is free
  web=$((20000 + RANDOM % 12000))
  cat >"$work/nginx.conf" <<CONFIG
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { }
http {
  access_log $work/nginx/access.log;
  sendfile on;
  $temporary
  server { listen 127.0.0.1:$web; root $work/www; }
}
CONFIG
  if load_cpu chrt --idle 0 nginx -p "$work/nginx" -c "$work/nginx.conf" 2>>"$work/nginx/start.log"; then
    served=yes
    break
  fi
done
[ -n "$served" ] || { cat "$work/nginx/start.log" >&2; exit 1; }

# A profile of its own believes the big CRLs, so that they are linked, too.
cp "$work/1.$entries.crl.issuer.cer" "$work/lab/anchors/big.cer"
rm -rf "$work/lab/state"
cat >>"$work/lab/inkand.textproto" <<CONFIG
profiles {
  name: "big"
  anchor_files: "anchors/big.cer"
}
state_directory: "state"
crl_sources {
  http { urls: "http://127.0.0.1:$web/big.crl" }
  poll_interval { seconds: 1 }
}
CONFIG
start_server "$work/lab/inkand.textproto"
# in_force N: that many CRLs have come into force, the first among them.
in_force() {
  [ "$(grep -o 'snapshot [0-9]*: profile big: .* 1 CRL partition' "$work/inkand.log" |
    sort -u | wc -l)" -ge "$1" ]
}
wait_in_force() {
  for _ in $(seq 240); do
    in_force "$1" && return 0
    sleep 0.5
  done
  echo "  FAILED: CRL $1 did not come into force ($work/inkand.log)"
  return 1
}
wait_in_force 1

memory_mb() { awk -v key="$1:" '$1 == key { print int($2 / 1000) }' "/proc/$server/status"; }
resident_mb=$(memory_mb VmRSS)

say "The most it does, to know what half of it is: $pinned"
load max --mode unary --connections 2 --duration "$((seconds < 10 ? seconds : 10))s"
half=$(awk -v r="$(field max per_second)" 'BEGIN { printf "%d", r / 2 }')
echo "$(field max per_second) filings a second; half is $half"

say "Half load, $seconds seconds, nothing else"
half_load=(--mode unary --connections 2 --rate "$half" --duration "${seconds}s" --warmup 2s)
load quiet "${half_load[@]}"
quiet=$(field quiet p99_ms)

say "Half load, $seconds seconds, a newer CRL to fetch every $every seconds"
echo 5 >"/proc/$server/clear_refs" # forget the peak so far
(
  step_aside
  for n in $(seq 2 "$crls"); do
    put_crl "$n"
    sleep "$every"
    wait_in_force "$n"
  done
) &
swapper=$!
load busy "${half_load[@]}"
busy=$(field busy p99_ms)
wait "$swapper" # fails if a CRL was not taken
swapper=
peak_mb=$(memory_mb VmHWM)

say "Killed, and started again with what is on disk"
kill -KILL "$server"
wait "$server" 2>/dev/null || true
begun=$(date +%s.%N)
start_server "$work/lab/inkand.textproto"
load first --mode unary --count 1
restart=$(calc "$(date +%s.%N) - $begun")
in_force 1 || { echo "  FAILED: it started without its CRL"; exit 1; }

index_mb=$("$bin/inkan" crl inspect "$work/1.$entries.crl" |
  awk '$1 == "entries" { print int($2 * $3 / 1000000) + 1 }')
base_mb=$((resident_mb - index_mb))
allowed_mb=$((base_mb + 2 * index_mb + crl_mb + 64))
ratio=$(awk -v a="$quiet" -v b="$busy" 'BEGIN { printf "%.2f", b / a }')
say "p99 $quiet ms quiet, $busy ms while refreshing: $ratio times (goal: at most $ratio_max)"
echo "$crls CRLs were fetched and came into force"
echo "memory: $resident_mb MB at rest, peak $peak_mb MB; at rest + an index" \
  "($index_mb MB) + the CRL ($crl_mb MB) + 64 MB are $allowed_mb MB"
echo "killed and started again: $restart seconds to the first verdict (goal: at most $restart_max)"
awk -v r="$ratio" -v most="$ratio_max" -v p="$peak_mb" -v a="$allowed_mb" \
  -v s="$restart" -v longest="$restart_max" \
  'BEGIN { exit !(r <= most && p <= a && s <= longest) }'
