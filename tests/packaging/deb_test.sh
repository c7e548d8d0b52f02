#!/usr/bin/env bash
# Installs, upgrades, removes and purges the packages in a clean root, and runs what they bring.
#
#     deb_test.sh SUITE ARCH MIRROR        for instance: bookworm amd64 http://…
#
# From the top of the checkout, as root, after `make deb`. KEEP=1 leaves the root there.
set -euo pipefail
(($# == 3)) || { sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2; }
readonly SUITE=$1 ARCH=$2 MIRROR=$3
readonly PACKAGES=build/packages
# shellcheck source=tests/packaging/root.sh
source "$(dirname "$0")/root.sh"

passed=0
root=
say() { printf '[%s %s] %s\n' "$SUITE" "$ARCH" "$*"; }
fail() { say "FAILED: $*"; exit 1; }
ok() { ((++passed)); say "ok: $*"; }
inside() { in_root "$root" "$@"; }
finish() { [[ -z $root || -n ${KEEP-} ]] || close_root "$root"; }
trap finish EXIT

# check SENTENCE COMMAND...
check() {
  local sentence=$1
  shift
  "$@" >"$ROOTS/last.log" 2>&1 || { tail -n 20 "$ROOTS/last.log"; fail "$sentence"; }
  ok "$sentence"
}
refute() {
  local sentence=$1
  shift
  ! "$@" >"$ROOTS/last.log" 2>&1 || fail "$sentence"
  ok "$sentence"
}

deb() { printf "%s/%s_%s_%s.deb\n" "$PACKAGES" "$1" "$VERSION" "$ARCH"; }
VERSION=$(dpkg-parsechangelog -S Version)
readonly VERSION
for name in juggler juggler-consumer; do [[ -s $(deb $name) ]] || fail "no $(deb $name): make deb"; done

# The version before: the same files, but with another default configuration, which nobody changed in
# one file and somebody did in the other.
older() {
  local name=$1 file=$2 work
  work=$(mktemp -d)
  dpkg-deb -R "$(deb "$name")" "$work"
  sed -i "s/^Version: .*/Version: 0.0.1/; s/(= $VERSION)/(= 0.0.1)/" "$work/DEBIAN/control"
  echo '# A line of the version before.' >>"$work/etc/juggler/$file"
  dpkg-deb --root-owner-group -Zgzip -b "$work" "$root/packages/older/$name.deb" >/dev/null
  rm -rf "$work"
}

install_older() {
  mkdir -p "$root/packages/older"
  older juggler controller.toml
  older juggler-consumer consumer.toml
  check 'the package lists can be read' inside apt-get -q update
  check 'both packages install, with what they depend on from Debian alone' \
    inside apt-get -q -y --no-install-recommends install \
    /packages/older/juggler.deb /packages/older/juggler-consumer.deb
}

upgrade() {
  echo 'id = "roof-1"' >>"$root/etc/juggler/consumer.toml"
  echo 'amqps://u:p@broker/juggler' >"$root/etc/juggler/credentials/consumer"
  chmod 600 "$root/etc/juggler/credentials/consumer"
  mkdir -p "$root/var/lib/juggler-consumer/models"
  cp "$(deb juggler)" "$(deb juggler-consumer)" "$root/packages/"
  check 'they upgrade without a question' inside dpkg --force-confdef --force-confold -i \
    "/packages/$(basename "$(deb juggler-consumer)")" "/packages/$(basename "$(deb juggler)")"
  check 'a configuration that somebody changed is kept' grep -q '^id = "roof-1"' "$root/etc/juggler/consumer.toml"
  refute 'a configuration that nobody changed is the new one' \
    grep -q 'version before' "$root/etc/juggler/controller.toml"
  check 'credentials are kept' test -s "$root/etc/juggler/credentials/consumer"
}

# digest JUGGLER...: of a simulation, for which it must find scenarios and profiles.
digest() {
  "$@" simulate pair/chaos --load 0.05 --bound none --json | sed -n 's/.*"digest": "\(.*\)".*/\1/p'
}

programs() {
  check 'juggler runs' inside juggler --version
  local version
  version=$(inside juggler-consumer --version) || fail 'juggler-consumer does not run'
  [[ $version == *'built by g++ 11'* && $version == *'engine: built in'* ]] || fail "its version: $version"
  ok 'juggler-consumer runs, is by g++ 11, and has the engine for ONNX Runtime'
  local here there
  there=$(digest inside juggler)
  here=$(digest build/portable/juggler)
  [[ -n $there && $here == "$there" ]] || fail "digest $there, here $here"
  ok "its digest ($there) is that of the amd64 build, outside"
  check 'a linear programme is solved (CLP of the system)' \
    inside juggler simulate pair/chaos --load 0.05 --bound fluid --json
  inside juggler doctor >"$ROOTS/doctor.log" 2>&1 || true
  check 'juggler doctor says what is missing and how to get it' grep -q 'ONNX Runtime' "$ROOTS/doctor.log"
  inside juggler-consumer --id d --broker amqp://u@127.0.0.1:1/v --engine noop \
    --log-level off >"$ROOTS/last.log" 2>&1 & 
  local consumer=$!
  sleep 5
  kill -0 $consumer || fail 'the consumer ended by itself, where it should wait for its broker'
  kill $consumer
  wait $consumer || true
  ok 'the consumer waits for a broker that is not there'
}

# What of the system is as it should be, once the packages are there.
system() {
  local user
  for user in juggler juggler-serve juggler-consumer; do
    [[ $(inside getent passwd $user) == *:/usr/sbin/nologin ]] || fail "no user $user for its services, or one who logs in"
  done
  ok 'there are users for the services, who can log in nowhere'
  [[ $(stat -c '%a %u' "$root/etc/juggler/credentials") == '700 0' ]] || fail 'credentials are open'
  ok 'credentials are root'"'"'s alone'
  check 'the controller is enabled' inside systemctl is-enabled juggler-controller.service
  check 'the keeper is enabled' inside systemctl is-enabled juggler-keeper.service
  check 'the HTTP interface is enabled' inside systemctl is-enabled juggler-serve.service
  check 'the consumer is enabled' inside systemctl is-enabled juggler-consumer.service
  check 'systemd takes the units as they are' inside systemd-analyze verify --man=no \
    juggler-controller.service juggler-keeper.service juggler-consumer.service juggler-desk.service juggler-serve.service
  check 'the pages of the manual are there' \
    test -s "$root/usr/share/man/man1/juggler.1.gz" -a -s "$root/usr/share/man/man1/juggler-consumer.1.gz"
  check 'every file is as it was packed' inside sh -c \
    'dpkg -V juggler juggler-consumer | grep -v " c /etc/juggler/consumer.toml$" | { ! grep .; }'
}

remove() {
  check 'they are removed' inside dpkg -r juggler juggler-consumer
  refute 'no program is left' test -e "$root/usr/bin/juggler" -o -e "$root/usr/bin/juggler-consumer"
  check 'configuration is left' test -e "$root/etc/juggler/consumer.toml"
  check 'state and credentials are left' \
    test -d "$root/var/lib/juggler-consumer/models" -a -s "$root/etc/juggler/credentials/consumer"
  check 'they are purged' inside dpkg -P juggler juggler-consumer
  refute 'no configuration, credential or state is left' \
    find "$root/etc/juggler" "$root/var/lib/juggler" "$root/var/lib/juggler-consumer"
  refute 'nothing of it is enabled' sh -c "find '$root/etc/systemd' -name 'juggler*' | grep ."
  refute 'no other file is left' sh -c \
    "find '$root' -xdev -name '*juggler*' -not -path '$root/packages/*' -not -path '*/deb-systemd-helper*' \
      -not -path '*/man/*' -not -path '*/root/.local/*' | grep ."
}

# newest PREFIX FILE: the newest version of a library's symbols that the program asks for.
newest() { readelf -W --dyn-syms "$2" | grep -o "\b$1_[0-9.]*" | sed 's/.*_//' | sort -V | tail -n 1; }
at_most() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1) == "$2" ]]; }

# What cannot be tried here: the libraries of Ubuntu 22.04, which JetPack 6 is.
floor() {
  local work program
  work=$(mktemp -d)
  for program in juggler juggler-consumer; do
    dpkg-deb -x "$(deb $program)" "$work"
    at_most "$(newest GLIBC "$work/usr/bin/$program")" 2.35 || fail "$program asks for a newer glibc than 2.35"
    at_most "$(newest GLIBCXX "$work/usr/bin/$program")" 3.4.30 || fail "$program asks for a newer libstdc++"
    at_most "$(newest OPENSSL "$work/usr/bin/$program")" 3.0.0 || fail "$program asks for a newer OpenSSL"
  done
  refute 'the consumer brings its libstdc++' \
    sh -c "readelf -d '$work/usr/bin/juggler-consumer' | grep 'NEEDED.*libstdc++'"
  rm -rf "$work"
  ok 'every symbol is in Ubuntu 22.04 (glibc 2.35, libstdc++ 3.4.30, OpenSSL 3.0)'
}

floor
make_root "$SUITE" "$ARCH" "$MIRROR"
root=$(open_root "$SUITE" "$ARCH")
install_older
upgrade
programs
system
remove
say "$passed passed, 0 failed"
