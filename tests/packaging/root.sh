# shellcheck shell=bash
# Clean roots of Debian for the tests of packages: made once (var/roots/SUITE-ARCH.tar), unpacked for each
# run, entered by chroot. Sourced from the top of the checkout; needs root, mmdebstrap and, for another
# architecture, qemu-user-static.

readonly ROOTS=var/roots

# Where the kernel does not know yet what to do with arm64 programs, it is told: they run under qemu. The
# registration is the package's own; it lasts until the next boot.
register_qemu() {
  local binfmt=/proc/sys/fs/binfmt_misc
  [[ -e $binfmt/register ]] || mount -t binfmt_misc binfmt_misc $binfmt
  [[ -e $binfmt/qemu-aarch64 ]] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$binfmt/register
}

# make_root SUITE ARCH MIRROR: once; a few minutes for an architecture that is emulated.
make_root() {
  local suite=$1 arch=$2 mirror=$3 tar=$ROOTS/$1-$2.tar
  [[ ! -s $tar ]] || return 0
  mkdir -p "$ROOTS"
  [[ $(dpkg --print-architecture) == "$arch" ]] || register_qemu
  echo "[roots] making a root of Debian ($suite, $arch)"
  mmdebstrap --quiet --variant=minbase --architectures="$arch" --include=ca-certificates \
    "$suite" "$tar.new.tar" "deb $mirror $suite main" >"$ROOTS/$suite-$arch.log" 2>&1 ||
    { tail -n 5 "$ROOTS/$suite-$arch.log"; return 1; }
  mv "$tar.new.tar" "$tar"
}

# open_root SUITE ARCH: a fresh copy; prints its folder.
open_root() {
  local folder
  folder=$(mktemp -d "$PWD/$ROOTS/run.XXXXXX")
  tar -C "$folder" -xf "$ROOTS/$1-$2.tar" --exclude=./dev/*
  # Services are not started in a folder.
  printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
  chmod 755 "$folder/usr/sbin/policy-rc.d" "$folder"
  cp /etc/resolv.conf "$folder/etc/resolv.conf"
  for name in null zero full random urandom; do : >"$folder/dev/$name"; done
  printf '%s\n' "$folder"
}

# in_root FOLDER COMMAND...: with /proc and a few devices, in mounts and processes of its own.
in_root() {
  local folder=$1
  shift
  # shellcheck disable=SC2016  # $0 and $@ are the inner shell's.
  unshare --mount --pid --fork --kill-child sh -ec '
    for name in null zero full random urandom; do mount --bind "/dev/$name" "$0/dev/$name"; done
    mount -t proc proc "$0/proc"
    if [ -n "${BIND-}" ]; then mkdir -p "$0${BIND#*:}" && mount --bind "${BIND%%:*}" "$0${BIND#*:}"; fi
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive ${PASS-} chroot "$0" "$@"' "$folder" "$@"
}

close_root() { rm -rf --one-file-system "$1"; }
