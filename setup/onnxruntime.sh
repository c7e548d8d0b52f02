# shellcheck shell=bash
# Step onnxruntime: headers and library. Sourced by setup.sh.
#
# Library: the user's ($ORT_LIBRARY), else the system's, else the one inside the PyPI wheel
# `onnxruntime`. That wheel rather than the npm package onnxruntime-node: 28 MB instead of 114 MB,
# for x86-64 and arm64 alike, and pip is needed for the int8 tools anyway. It is taken for Python
# 3.11 on every system: the library inside does not know Python and needs glibc 2.28.
# Headers: the user's ($ONNXRUNTIME_ROOT), else the system's, else Debian 13's libonnxruntime-dev
# unpacked (API 21, which every later library serves).

readonly ORT_DIR=$VAR/onnxruntime
readonly ORT_VERSION=1.32.0
# Checksums of the wheels for Python 3.11.
readonly ORT_SHA256_X86_64=5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d
readonly ORT_SHA256_AARCH64=2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c

system_ort_library() {
  ldconfig -p 2>/dev/null | awk '/libonnxruntime\.so\.1/ && !found { print $NF; found = 1 }'
}

# fetch_ort_library MACHINE FOLDER: the library for that kind of processor, in FOLDER/lib.
fetch_ort_library() {
  local machine=$1 folder=$2 scratch wheel sha256
  case $machine in
    x86_64) sha256=$ORT_SHA256_X86_64 ;;
    aarch64) sha256=$ORT_SHA256_AARCH64 ;;
    *) say "no ONNX Runtime wheel for $machine"; return 1 ;;
  esac
  say "onnxruntime: taking $ORT_VERSION for $machine from PyPI (28 MB, about 5 s)"
  mkdir -p "$folder/lib"
  scratch=$(mktemp -d "$folder/fetch.XXXXXX")
  if ! retry quietly onnxruntime "$PYTHON" -m pip download --no-deps --only-binary :all: \
    --python-version 3.11 --implementation cp --platform "manylinux_2_28_$machine" \
    --dest "$scratch" "onnxruntime==$ORT_VERSION"; then
    rm -rf "$scratch"
    return 1
  fi
  wheel=$(echo "$scratch"/*.whl)
  if ! echo "$sha256  $wheel" | sha256sum --check --status; then
    say "the wheel $(basename "$wheel") has another checksum than expected: not used"
    rm -rf "$scratch"
    return 1
  fi
  "$PYTHON" -m zipfile -e "$wheel" "$scratch/unpacked" &&
    cp "$scratch"/unpacked/onnxruntime/{LICENSE,ThirdPartyNotices.txt} "$folder/" &&
    mv "$scratch/unpacked/onnxruntime/capi/libonnxruntime.so.$ORT_VERSION" \
      "$folder/lib/libonnxruntime.so.1"
  local status=$?
  rm -rf "$scratch"
  return "$status"
}

fetch_ort_headers() {
  local scratch=$ORT_DIR/headers.tmp
  say 'onnxruntime: unpacking the headers of Debian 13'"'"'s libonnxruntime-dev (0.1 MB, about 2 s)'
  rm -rf "$scratch"
  debian_unpack libonnxruntime-dev/trixie "$scratch" || return 1
  rm -rf "$ORT_DIR/include"
  mkdir -p "$ORT_DIR/include"
  cp -r "$scratch/usr/include/onnxruntime" "$ORT_DIR/include/"
  rm -rf "$scratch"
}

ort_library() {
  local found ours=$ORT_DIR/lib/libonnxruntime.so.1
  if [[ -n ${ORT_LIBRARY:-} && $ORT_LIBRARY != "$ours" && $ORT_LIBRARY != "$ROOT/$ours" ]]; then
    [[ -r $ORT_LIBRARY ]] || die "ORT_LIBRARY=$ORT_LIBRARY cannot be read"
    return 0
  fi
  found=$(system_ort_library)
  [[ -n $found && -r $found ]] && return 0
  [[ -s $ours ]] && return 0
  fetch_ort_library "$(uname -m)" "$ORT_DIR"
}

ort_headers() {
  local directory
  for directory in "${ONNXRUNTIME_ROOT:-$ORT_DIR}" "${ONNXRUNTIME_ROOT:-$ORT_DIR}/include" \
    "${ONNXRUNTIME_ROOT:-$ORT_DIR}/include/onnxruntime" /usr/include/onnxruntime \
    "$ORT_DIR/include/onnxruntime"; do
    [[ -s $directory/onnxruntime_cxx_api.h ]] && return 0
  done
  fetch_ort_headers
}

step_onnxruntime() {
  ort_headers ||
    warn 'ONNX Runtime headers (Debian 13 package libonnxruntime-dev, or set ONNXRUNTIME_ROOT):' \
      'juggler-consumer is built with the twin engine alone'
  ort_library ||
    warn "ONNX Runtime library (PyPI package onnxruntime $ORT_VERSION, or set ORT_LIBRARY):" \
      'juggler-consumer runs twins only'
}
