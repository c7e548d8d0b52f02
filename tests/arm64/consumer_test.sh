#!/usr/bin/env bash
# The arm64 consumer at work: its package installed in a root of Debian 13 for arm64, under qemu, joins a
# fleet on this machine through a real RabbitMQ and classifies the photographs beside the native consumer.
#
#     consumer_test.sh BUILD MIRROR      BUILD: folder of the native programs
#
# From the top of the checkout, as root, after `make deb`.
set -euo pipefail
(($# == 2)) || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
readonly BUILD=$1 MIRROR=$2 SUITE=trixie
# shellcheck source=tests/packaging/root.sh
source "$(dirname "$0")/../packaging/root.sh"

root=
finish() { [[ -z $root ]] || close_root "$root"; }
trap finish EXIT

package=build/packages/juggler-consumer_$(dpkg-parsechangelog -S Version)_arm64.deb
library=var/arm64/onnxruntime/lib/libonnxruntime.so.1
for file in "$package" "$library"; do
  [[ -s $file ]] || { echo "[arm64] no $file: make deb; setup/setup.sh arm64" >&2; exit 1; }
done
register_qemu
make_root "$SUITE" arm64 "$MIRROR"
root=$(open_root "$SUITE" arm64)
echo '[arm64] installing the package and what it depends on'
cp "$package" "$root/consumer.deb"
in_root "$root" sh -ec 'apt-get -q update && apt-get -q -y --no-install-recommends install systemd-standalone-sysusers /consumer.deb' \
  >"$ROOTS/arm64-install.log" 2>&1 || { tail -n 20 "$ROOTS/arm64-install.log"; exit 1; }
in_root "$root" sh -ec 'uname -m; juggler-consumer --version'
install -D "$library" "$root/home/onnxruntime/lib/libonnxruntime.so.1"
mkdir -p "$root/home/models"

cat >"$root/../emulated.$$" <<END
#!/usr/bin/env bash
# The consumer in its root; written by consumer_test.sh.
source '$PWD/tests/packaging/root.sh'
export BIND='$(realpath var/models):/home/models'
in_root '$root' juggler-consumer "\$@"
END
emulated=$(realpath "$root/../emulated.$$")
chmod 755 "$emulated"
trap 'rm -f "$emulated"; finish' EXIT
/usr/bin/python3 tests/arm64/consumer_test.py "$BUILD" "$emulated" "$root" var/models var/photos
