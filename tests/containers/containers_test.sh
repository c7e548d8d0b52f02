#!/usr/bin/env bash
# Every image of containers/ is built without a container engine: its steps run in a root of the same
# distribution, its entry point runs there as its user.
#
#     containers_test.sh ARCH MIRROR
#
# From the top of the checkout, as root, after `make deb`. There is no l4t here: its base, Ubuntu 22.04 with
# JetPack's libraries, is stood for by Debian 13 for arm64 (emulated), its wheel of ONNX Runtime by one that
# holds PyPI's library for arm64, and l4t-pytorch by Debian 12 with its own PyTorch.
set -euo pipefail
(($# == 2)) || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
readonly ARCH=$1 MIRROR=$2
# shellcheck source=tests/packaging/root.sh
source "$(dirname "$0")/../packaging/root.sh"

root=
finish() { [[ -z $root ]] || close_root "$root"; }
trap finish EXIT

# build SUITE ARCH IMAGE [NAME=VALUE...]; $BASE_HAS: packages that the image's base would have.
build() {
  local suite=$1 arch=$2 image=$3
  shift 3
  make_root "$suite" "$arch" "$MIRROR"
  root=$(open_root "$suite" "$arch")
  # shellcheck disable=SC2086  # One word per package.
  [[ -z ${BASE_HAS-} ]] || in_root "$root" sh -ec \
    "apt-get -q update && apt-get -q -y --no-install-recommends install $BASE_HAS" >"$ROOTS/base.log" 2>&1 ||
    { tail -n 5 "$ROOTS/base.log"; return 1; }
  /usr/bin/python3 tests/containers/build_in_root.py "containers/$image/Dockerfile" "$root" "$@"
  close_root "$root"
  root=
}

build trixie "$ARCH" controller "TARGETARCH=$ARCH"
build trixie "$ARCH" consumer "TARGETARCH=$ARCH"
BASE_HAS='python3-torch python3-numpy' build bookworm amd64 engine-l4t-pytorch

wheel=build/onnxruntime_gpu-stand_in-linux_aarch64.whl
work=$(mktemp -d)
install -D var/arm64/onnxruntime/lib/libonnxruntime.so.1 "$work/onnxruntime/capi/libonnxruntime.so.1.32.0"
(cd "$work" && /usr/bin/python3 -m zipfile -c "$OLDPWD/$wheel" onnxruntime)
rm -rf "$work"
register_qemu
build trixie arm64 consumer-l4t "ORT_WHEEL=$wheel"
rm -f "$wheel"
echo '4 passed, 0 failed'
