#!/usr/bin/env bash
# Builds juggler and juggler-consumer as Debian packages for amd64 and arm64 into build/packages, and has
# lintian judge them: `make deb`, from the top of the checkout.
set -euo pipefail
readonly OUT=build/packages

rm -rf "$OUT"
mkdir -p "$OUT"
for arch in ${ARCHITECTURES:-amd64 arm64}; do
  echo "[deb] $arch"
  debian/rules clean >/dev/null
  # Not dpkg-buildpackage: it would ask for arm64's libraries as installed packages, and put its results
  # into the folder above.
  log=build/deb-$arch.log
  if ! DEB_RULES_REQUIRES_ROOT=no DEB_BUILD_OPTIONS=nocheck dpkg-architecture -a"$arch" -c debian/rules binary >"$log" 2>&1; then
    tail -n 30 "$log"
    exit 1
  fi
  grep '^dpkg-deb: building' "$log" || true
done
debian/rules clean >/dev/null
lintian --fail-on error,warning --info --tag-display-limit 0 "$OUT"/*.deb
ls -l "$OUT"
