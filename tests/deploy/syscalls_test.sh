#!/usr/bin/env bash
# The unit's filter of system calls against a real life of the server: whatever
# inkand calls from its start to its end is allowed. A call that is not would
# fail with EPERM, which libraries take for an old kernel and say nothing.
#   syscalls_test.sh SOURCE_DIR BIN_DIR LAB WORK_DIR
# strace stops it only at calls outside the filter, so it runs at its own speed.
set -euo pipefail
source_dir=$1 bin=$2 lab=$3 work=$4
# shellcheck source=lib.sh
. "$source_dir/tests/deploy/lib.sh"
need systemd-analyze systemd
need strace strace
PATH=$PATH:/usr/sbin
need nginx nginx-light
need pgrep procps
rm -rf "$work"
mkdir -p "$work"
if ! strace -o /dev/null true; then
  echo "nothing can be traced here (ptrace is forbidden): skipped" >&2
  exit 77
fi

# get PORT PATH: a page over HTTP.
get() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1" &&
    printf 'GET /%s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3 && cat <&3) 2>/dev/null
}
is_served() { get "$1" "$2" | grep -aq '200 OK'; }

unit=$source_dir/deploy/systemd/inkand.service
# Those of other kernels and machines strace does not know.
allowed_calls "$unit" | while read -r call; do
  if strace -e "trace=$call" -o /dev/null true 2>/dev/null; then echo "$call"; fi
done >"$work/calls"

# What the example configures, with CRLs from HTTP and LDAP beside the folder.
mkdir -p "$work"/{etc,crls,state,log,run,www,nginx}
sed -e "s|\"/var/lib/inkan/|\"$work/|" -e "s|\"/var/log/inkan/|\"$work/log/|" \
  -e 's|"\(0\.0\.0\.0\|127\.0\.0\.1\):[0-9]*"|"127.0.0.1:0"|' \
  "$source_dir/deploy/config/inkand.textproto" >"$work/etc/inkand.textproto"
fill_configuration "$lab" "$work/etc"
cp "$lab"/crls/* "$work/crls/"
crl=$(cd "$lab/crls" && ls | head -1)
mv "$work/crls/$crl" "$work/www/"
cat >>"$work/etc/inkand.textproto" <<CONFIG
crl_sources { http { urls: "http://localhost:PORT/$crl" } }
crl_sources { ldap { url: "ldap://localhost:1" base_dn: "o=lab" } }
CONFIG
temporary=$(for kind in client_body proxy fastcgi uwsgi scgi; do
  echo "${kind}_temp_path $work/nginx/$kind;"
done)
for _ in $(seq 20); do # until a port is free
  port=$((20000 + RANDOM % 12000))
  cat >"$work/nginx.conf" <<CONFIG
daemon off;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { }
http {
  access_log off;
  $temporary
  server { listen 127.0.0.1:$port; listen [::1]:$port; root $work/www; }
}
CONFIG
  nginx -p "$work/nginx" -c "$work/nginx.conf" 2>>"$work/nginx.log" &
  web=$!
  wait_for 10 is_served "$port" "$crl" && break
  kill "$web" 2>/dev/null || true
done
sed -i "s/:PORT/:$port/" "$work/etc/inkand.textproto"

server=
trap 'kill "$web" $server 2>/dev/null || true' EXIT

# start NAME STRACE-OPTIONS..: the server, as systemd would start it; its calls in
# NAME.trace, its log in NAME.log.
start() {
  local name=$1
  shift
  rm -f "$work/port"
  NOTIFY_SOCKET=$work/run/notify WATCHDOG_USEC=30000000 \
    strace -f --seccomp-bpf -o "$work/$name.trace" "$@" \
    "$bin/inkand" --config "$work/etc/inkand.textproto" --log-format json \
    --port-file "$work/port" 2>"$work/$name.log" &
  tracer=$!
  wait_for 90 test -s "$work/port" || { cat "$work/$name.log"; fail "it did not start"; }
  server=$(pgrep -P "$tracer")
}

# stop NAME: by SIGTERM, with 0.
stop() {
  kill -TERM $server
  wait "$tracer" || { cat "$work/$1.log"; fail "it did not end with 0"; }
  server=
}

says() { grep -q "$2" "$work/$1.log"; }
tls=$work/etc/tls
intake() { echo "localhost:$(sed -n 1p "$work/port")"; }
operations() { echo "127.0.0.1:$(sed -n 2p "$work/port")"; }
by_tls=(--tls-ca "$tls/client-ca.pem" --tls-cert "$tls/client.pem" --tls-key "$tls/client.key")

start life -e "trace=!$(paste -sd, "$work/calls")"
"$bin/inkan-load" --target "$(intake)" "${by_tls[@]}" --corpus "$lab/corpus.binpb" \
  --mix unary=0.3,batch=0.3,stream=0.4 --connections 2 --count 2000 >"$work/load.txt" ||
  { cat "$work/load.txt" "$work/life.log"; fail "the load"; }
for page in metrics healthz readyz statusz; do
  wait_for 30 is_served "$(sed -n 3p "$work/port")" "$page" || fail "no /$page"
done
"$bin/inkan" status --target "$(operations)" --plaintext >/dev/null
cp "$lab/crls/$crl" "$work/crls/.new" && mv "$work/crls/.new" "$work/crls/$crl"
mv "$work/log/audit.log" "$work/log/audit.log.1" # as logrotate does
kill -HUP $server
wait_for 90 says life 'reload done' || { cat "$work/life.log"; fail "no reload"; }
wait_for 90 says life 'ldap' || { cat "$work/life.log"; fail "no word of LDAP"; }
wait_for 90 sh -c "ls $work/state/spool | grep -q ." || fail "nothing was fetched"
stop life
[ -s "$work/log/audit.log.1" ] || fail "no audit log"
if says life 'low priority'; then fail "it says that its priority is refused"; fi
not_allowed=$(sed -n 's/^[0-9]* *\([a-z0-9_]*\)(.*/\1/p' "$work/life.trace" | sort -u)
[ -z "$not_allowed" ] ||
  fail "inkand calls what the unit forbids: $not_allowed ($work/life.trace)"

if [ "$(nice)" -ge 10 ]; then
  echo "this test has a low priority itself: the rest of it is left out" >&2
  exit 0
fi
# The same look does see a call that is left out, and a refused one is said, once.
start refused -e "trace=!$(grep -vx setpriority "$work/calls" | paste -sd,)" \
  -e inject=setpriority:error=EPERM
kill -HUP $server
wait_for 90 says refused 'reload done' || { cat "$work/refused.log"; fail "no reload"; }
stop refused
grep -q 'setpriority(.*EPERM' "$work/refused.trace" || fail "setpriority was not seen"
[ "$(grep -c 'low priority' "$work/refused.log")" = 1 ] ||
  { cat "$work/refused.log"; fail "a refused priority is not said once"; }
echo "$(wc -l <"$work/calls") calls allowed, none forbidden was made"
