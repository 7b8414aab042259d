# Shared by the deploy tests that are shell scripts. Sourced, after `set -eu`.

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# need COMMAND PACKAGE: without it the test is skipped, or fails under CI=true.
need() {
  command -v "$1" >/dev/null && return 0
  echo "$1 is not here: apt-get install $2" >&2
  [ "${CI:-}" != true ] || exit 1
  exit 77
}

# wait_for SECONDS COMMAND..: until it succeeds.
wait_for() {
  local end=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.1
  done
}

# make_tls FOLDER: a CA, and certificates of it for a server on loopback and for a
# client, as the example configurations name them.
make_tls() {
  local dir=$1
  mkdir -p "$dir"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj "/CN=deploy test CA" -keyout "$dir/client-ca.key" \
    -out "$dir/client-ca.pem" 2>/dev/null
  local name
  for name in server client; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
      -subj "/CN=$name" -keyout "$dir/$name.key" -out "$dir/$name.csr" 2>/dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$dir/$name.ext"
    openssl x509 -req -in "$dir/$name.csr" -CA "$dir/client-ca.pem" \
      -CAkey "$dir/client-ca.key" -CAcreateserial -days 2 \
      -extfile "$dir/$name.ext" -out "$dir/$name.pem" 2>/dev/null
  done
}

# fill_configuration LAB FOLDER: what the example configuration names, from a lab.
fill_configuration() {
  mkdir -p "$2/anchors"
  local kind name
  for kind in signca:jpki-signature authca:jpki-authentication; do
    name=$2/anchors/${kind#*:}.pem
    : >"$name"
    for anchor in "$1"/anchors/"${kind%:*}"*.cer; do
      openssl x509 -inform DER -in "$anchor" >>"$name"
    done
  done
  make_tls "$2/tls"
}

# system_calls NAME..: the system calls that names and groups of them stand for.
system_calls() {
  local name
  for name in "$@"; do
    case $name in
      @*) # shellcheck disable=SC2046
        system_calls $(systemd-analyze --no-pager syscall-filter "$name" |
          sed -n 's/^ \+\([-@a-z0-9_]*\)$/\1/p') ;;
      *) echo "$name" ;;
    esac
  done
}

# allowed_calls UNIT: what its SystemCallFilter lines leave, in their order.
allowed_calls() {
  local line allowed= named
  while read -r line; do
    # shellcheck disable=SC2086
    named=$(system_calls ${line#\~} | sort -u)
    if [ "${line#\~}" != "$line" ]; then
      allowed=$(comm -23 <(echo "$allowed") <(echo "$named"))
    else
      allowed=$(sort -u <(echo "$allowed") <(echo "$named") | sed '/^$/d')
    fi
  done < <(sed -n 's/^SystemCallFilter=//p' "$1")
  echo "$allowed"
}
