# Sourced by goals.sh, soak.sh and refresh.sh: a server of their own, ended by its pid, on one
# core, and the load generator on another.
#   bin, work: set before.

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

server=
finish() {
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill -TERM "$server"
    wait "$server" || true
  fi
  server=
}

# Where there are two cores and leave to pin: server_cpu and load_cpu run a command
# on one each.
cpus=$(taskset -pc $$ 2>/dev/null | sed 's/.*: //' | tr ',' '\n' |
  awk -F- '{ for (i = $1; i <= (NF > 1 ? $2 : $1); ++i) print i }' | head -2)
if [ "$(echo "$cpus" | wc -w)" = 2 ]; then
  first_cpu=$(echo "$cpus" | sed -n 1p)
  second_cpu=$(echo "$cpus" | sed -n 2p)
  server_cpu() { exec taskset -c "$first_cpu" "$@"; }
  load_cpu() { taskset -c "$second_cpu" "$@"; }
  pinned="the server on CPU $first_cpu, the load generator on CPU $second_cpu"
else
  server_cpu() { exec "$@"; }
  load_cpu() { "$@"; }
  pinned="one core only: server and load generator share it"
fi

# step_aside: this subshell, and what it starts, takes nothing that the server or the
# load generator would have had.
step_aside() {
  if [ -n "${second_cpu:-}" ]; then taskset -pc "$second_cpu" "$BASHPID" >/dev/null; fi
  chrt --idle --pid 0 "$BASHPID"
}

# start_server CONFIG: sets server and target. The subshell becomes the server, so
# that its pid is the server's.
start_server() {
  rm -f "$work/port"
  (server_cpu "$bin/inkand" --config "$1" --port-file "$work/port" \
    >"$work/inkand.log" 2>&1) &
  server=$!
  local waited=0
  while [ ! -s "$work/port" ]; do
    if ! kill -0 "$server" 2>/dev/null || [ $((waited += 1)) -gt 12000 ]; then
      cat "$work/inkand.log" >&2
      return 1
    fi
    sleep 0.01
  done
  target=127.0.0.1:$(head -1 "$work/port")
}

# load NAME FLAGS..: one run of inkan-load, its CSV in $work/NAME.csv. Wrong or lost
# verdicts end the script; refusals and rates not reached are figures.
load() {
  local name=$1 status=0
  shift
  load_cpu "$bin/inkan-load" --target "$target" --corpus "$work/lab/corpus.binpb" \
    --server-pid "$server" --format csv --html "$work/$name.html" "$@" \
    >"$work/$name.csv" || status=$?
  if [ "$status" != 0 ] && [ "$status" != 2 ]; then
    echo "inkan-load $name ended with $status" >&2
    cat "$work/$name.csv" >&2
    return 1
  fi
}

# field NAME COLUMN [STEP]: a value of a CSV, by the column's name.
field() {
  awk -F, -v column="$2" -v step="${3:-1}" '
    NR == 1 { for (i = 1; i <= NF; ++i) if ($i == column) at = i; next }
    NR == step + 1 { print $at }' "$work/$1.csv"
}

calc() { awk "BEGIN { printf \"%.6g\", $1 }"; }
