#!/bin/sh
# Puts programs and all they need to run into an empty folder, as the root of an
# image: the programs, the libraries they are linked with, CA certificates, one
# account, and for each Debian package its copyright and its entry for scanners.
#   assemble_root.sh FOLDER SERVER CLIENT
set -eu
to=$1 server=$2 client=$3

install -D -m 0755 "$server" "$to/usr/sbin/inkand"
install -D -m 0755 "$client" "$to/usr/bin/inkan"

# "name => /path (address)", and the loader as "/path (address)".
libraries=$(ldd "$server" "$client" |
  sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' | sort -u)
[ -n "$libraries" ] || { echo "ldd names no library" >&2; exit 1; }
for library in $libraries; do
  install -D -m 0755 "$library" "$to$library"
done

# The packages these come from. On a merged /usr dpkg may know a file by the name
# with /usr or the one without.
mkdir -p "$to/var/lib/dpkg/status.d"
names=$(for file in $libraries $(readlink -f $libraries); do
  printf '%s\n%s\n' "${file#/usr}" "/usr${file#/usr}"
done)
# Exits with 1 for the names that nobody owns.
owners=$(dpkg-query -S $names 2>/dev/null | sed 's/:.*//' | sort -u) || true
[ -n "$owners" ] || { echo "no package owns the libraries" >&2; exit 1; }
for package in $owners; do
  dpkg-query -s "$package" >"$to/var/lib/dpkg/status.d/$package"
  install -D -m 0644 "/usr/share/doc/$package/copyright" \
    "$to/usr/share/doc/$package/copyright"
done

# And the terms of what is in the programs themselves (cmake/static_libraries.cmake).
for package in libgrpc-dev libprotobuf-dev libabsl-dev; do
  install -D -m 0644 "/usr/share/doc/$package/copyright" \
    "$to/usr/share/doc/$package/copyright"
done

if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
  install -D -m 0644 /etc/ssl/certs/ca-certificates.crt \
    "$to/etc/ssl/certs/ca-certificates.crt"
  mkdir -p "$to/usr/lib/ssl"
  ln -sf /etc/ssl/certs "$to/usr/lib/ssl/certs"
  ln -sf /etc/ssl/certs/ca-certificates.crt "$to/usr/lib/ssl/cert.pem"
fi

printf 'inkan:x:10001:10001:Inkan server:/var/lib/inkan:/usr/sbin/nologin\n' >"$to/etc/passwd"
printf 'inkan:x:10001:\n' >"$to/etc/group"
printf 'hosts: files dns\n' >"$to/etc/nsswitch.conf"
mkdir -p "$to/etc/inkan" "$to/var/lib/inkan/crls" "$to/var/log/inkan" "$to/tmp" \
  "$to/proc" "$to/sys" "$to/dev"
chmod 1777 "$to/tmp"
if [ "$(id -u)" = 0 ]; then
  chown -R 10001:10001 "$to/var/lib/inkan" "$to/var/log/inkan"
fi
