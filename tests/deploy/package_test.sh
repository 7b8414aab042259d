#!/usr/bin/env bash
# The Debian packages: built, installed into a throw-away root, configured by the
# example, started, probed, removed and purged without a trace.
#   package_test.sh SOURCE_DIR BUILD_DIR LAB WORK_DIR
# dpkg runs the maintainer scripts with DPKG_ROOT instead of a chroot, so neither
# root nor a mount is needed, and the host is not touched.
set -euo pipefail
source_dir=$1 build=$2 lab=$3 work=$4
# shellcheck source=lib.sh
. "$source_dir/tests/deploy/lib.sh"
need dpkg-deb dpkg
need dpkg-shlibdeps dpkg-dev
need systemd-analyze systemd
need useradd passwd
need fakeroot fakeroot
if [ "$(id -u)" != 0 ] && [ -z "${FAKEROOTKEY:-}" ]; then exec fakeroot "$0" "$@"; fi
PATH=$PATH:/usr/sbin:/sbin

rm -rf "$work"
mkdir -p "$work"
root=$work/root

# A root with what dpkg and the account tools need, and nothing else.
mkdir -p "$root"/{etc/systemd/system,var/lib/dpkg/{info,updates,triggers},var/log,var/lib/systemd}
touch "$root"/var/lib/dpkg/status "$root"/var/log/keep
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo 'root:*:19000:0:99999:7:::' >"$root/etc/shadow"
echo 'root:*::' >"$root/etc/gshadow"
cp /etc/login.defs "$root/etc/login.defs"

# All that is there, but for what dpkg and the account tools keep for themselves.
snapshot() {
  (cd "$root" && find . -mindepth 1 \
    -not -path './var/lib/dpkg*' -not -path './var/log/dpkg.log' \
    -not -name '*-' -not -path './etc/.pwd.lock' -not -path './etc/sub?id' \
    -not -path './var/lib/systemd/*' | sort)
  cat "$root/etc/passwd" "$root/etc/group"
}
snapshot >"$work/before"

echo "== build"
(cd "$build" && cpack -G DEB -B "$work/packages" >"$work/cpack.log" 2>&1) ||
  { cat "$work/cpack.log"; fail "cpack"; }
mapfile -t packages < <(ls "$work"/packages/*.deb)
[ ${#packages[@]} = 2 ] || fail "two packages expected: ${packages[*]}"
for package in "${packages[@]}"; do
  dpkg-deb --field "$package" Depends | grep -q 'libssl3' ||
    fail "$package does not depend on its libraries"
done

echo "== install"
run_dpkg() {
  dpkg --root="$root" --log="$work/dpkg.log" --force-not-root --force-bad-path \
    --force-depends --force-script-chrootless "$@" >>"$work/dpkg.out" 2>&1 ||
    { cat "$work/dpkg.out"; fail "dpkg $*"; }
}
run_dpkg --install "${packages[@]}"
grep -q '^inkan:' "$root/etc/passwd" || fail "no account"
for folder in etc/inkan etc/inkan/anchors etc/inkan/tls var/lib/inkan/crls var/log/inkan; do
  [ "$(stat -c %a "$root/$folder")" = 750 ] || fail "$folder: not there, or not 750"
done
[ "$(stat -c %U "$root/etc/inkan")" = root ] || fail "/etc/inkan is not root's"
[ -L "$root/etc/systemd/system/multi-user.target.wants/inkand.service" ] ||
  fail "the unit is not enabled"
# The root has no other units; anything else it says is about ours.
systemd-analyze verify --man=no --root="$root" inkand.service 2>"$work/verify.log" || true
if grep -v 'Unit [a-z.-]* not found' "$work/verify.log"; then fail "systemd-analyze verify"; fi
for document in copyright copyright.libgrpc-dev copyright.libprotobuf-dev \
    copyright.libabsl-dev changelog.gz changelog.Debian.gz OPERATIONS.md \
  examples/inkand.textproto examples/prometheus/alerts.yaml; do
  [ -s "$root/usr/share/doc/inkan/$document" ] || fail "no $document"
done

echo "== run"
inkand=$root/usr/sbin/inkand inkan=$root/usr/bin/inkan
"$inkand" --version | grep -q '^inkand ' || fail "inkand --version"
for program in inkan inkan-lab inkan-load; do
  "$root/usr/bin/$program" --help >/dev/null || fail "$program --help"
done
"$root/usr/sbin/inkan-support-bundle" --help | grep -q 'no audit log' ||
  fail "inkan-support-bundle --help"
config=$root/etc/inkan/inkand.textproto
# The example, with this root's /var and free ports.
sed -e "s|\"/var/|\"$root/var/|" -e 's|"\(0\.0\.0\.0\|127\.0\.0\.1\):[0-9]*"|"127.0.0.1:0"|' \
  "$root/usr/share/doc/inkan/examples/inkand.textproto" >"$config"
if "$inkand" --check-config --config "$config" 2>"$work/check.err"; then
  fail "a configuration whose files are missing was accepted"
fi
fill_configuration "$lab" "$root/etc/inkan"
cp "$lab"/crls/* "$root/var/lib/inkan/crls/"
"$inkand" --check-config --config "$config" || fail "--check-config of the example"

"$inkand" --config "$config" --port-file "$work/port" 2>"$work/inkand.log" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
wait_for 60 test -s "$work/port" || { cat "$work/inkand.log"; fail "it did not start"; }
tls=$root/etc/inkan/tls
"$inkan" health --target "localhost:$(sed -n 1p "$work/port")" --timeout 30 \
  --tls-ca "$tls/client-ca.pem" --tls-cert "$tls/client.pem" --tls-key "$tls/client.key" ||
  fail "health of the intake port"
"$inkan" health --target "127.0.0.1:$(sed -n 2p "$work/port")" --timeout 30 --plaintext ||
  fail "health of the operations port"
# What makes a restart refuse an older CRL than was in force.
wait_for 30 test -s "$root/var/lib/inkan/state/floors" || fail "the example keeps no state"
(cd "$work" && PATH="$root/usr/sbin:$root/usr/bin:$PATH" timeout 120 \
  "$root/usr/sbin/inkan-support-bundle" --config "$config" \
  --target "127.0.0.1:$(sed -n 2p "$work/port")" --plaintext)
mkdir "$work/bundle"
tar -xzf "$work"/inkan-support-*.tar.gz --strip-components=1 -C "$work/bundle"
for what in version status health check-config configuration certificates; do
  [ -s "$work/bundle/$what" ] || fail "the support bundle has no $what"
  if grep -n 'exit code' "$work/bundle/$what"; then fail "$what in the support bundle"; fi
done
grep -q 'sha256 Fingerprint' "$work/bundle/certificates" || fail "no fingerprints"
if grep -rl 'PRIVATE KEY' "$work/bundle"; then fail "a key is in the support bundle"; fi
kill -TERM "$server"
wait "$server" || { cat "$work/inkand.log"; fail "it did not end with 0"; }

echo "== upgrade keeps the operator's files"
chmod 700 "$root/etc/inkan/tls"
run_dpkg --install "${packages[@]}"
[ "$(stat -c %a "$root/etc/inkan/tls")" = 700 ] || fail "a mode was put back"

echo "== remove"
run_dpkg --remove inkan inkan-tools
[ -s "$config" ] || fail "removing took the configuration"
[ ! -e "$inkand" ] || fail "removing left the program"

echo "== purge"
run_dpkg --purge inkan
snapshot >"$work/after"
diff "$work/before" "$work/after" || fail "purging left something"
echo "all well"
