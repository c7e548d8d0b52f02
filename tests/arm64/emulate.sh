#!/bin/sh
# Runs an arm64 program of this build under qemu, with the libraries it was linked against:
#     tests/arm64/emulate.sh PROGRAM ARGUMENT...
# JUGGLER_SYSROOT names another folder than setup/arm64.sh fills.
set -eu
sysroot=${JUGGLER_SYSROOT:-$(dirname "$0")/../../var/arm64/sysroot}
libraries=$sysroot/usr/lib/aarch64-linux-gnu
# For the program alone (-E): qemu itself is a program of this machine.
exec qemu-aarch64-static -L /usr/aarch64-linux-gnu \
  -E LD_LIBRARY_PATH="$libraries:$libraries/blas:$libraries/lapack:$sysroot/lib/aarch64-linux-gnu:/usr/aarch64-linux-gnu/lib" \
  "$@"
