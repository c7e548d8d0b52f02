# shellcheck shell=bash
# Step arm64: what cross-building for arm64 boards needs beside the compiler. Sourced by setup.sh.
#
# The libraries to link against are Debian 12's arm64 packages, unpacked (not installed: the machine's
# own package database never hears of a second architecture) into var/arm64/sysroot. ONNX Runtime's
# arm64 library, for running what was built under qemu, goes to var/arm64/onnxruntime.

readonly ARM64=$VAR/arm64
readonly ARM64_SYSROOT=$ARM64/sysroot
readonly ARM64_ORT=$ARM64/onnxruntime

# private_apt for arm64: lists, cache and (empty) status of its own.
arm64_apt() {
  local root=$ROOT/$ARM64/apt
  private_apt -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
    -o Dir::Etc::sourcelist="$root/sources.list" -o Dir::State::lists="$root/lists" \
    -o Dir::Cache="$root/cache" -o Dir::State::status="$root/status" "$@"
}

arm64_update() {
  local root=$ARM64/apt mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ -z $(find "$root/updated" -mmin -60 2>/dev/null) ]] || return 0
  mirror=$(debian_mirror) || { say 'no Debian mirror known: set JUGGLER_DEBIAN_MIRROR'; return 1; }
  mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
  : >"$root/status"
  printf 'deb [signed-by=%s] %s bookworm main\n' "$keys" "$mirror" >"$root/sources.list"
  say 'arm64: reading the lists of Debian 12 for arm64 (9 MB, about 3 s)'
  retry quietly apt arm64_apt -o APT::Update::Error-Mode=any update || return 1
  touch "$root/updated"
}

# Links to absolute paths lead out of the sysroot, to the machine's own files: they are made relative.
relative_links() {
  local link target
  find "$1" -type l -lname '/*' | while read -r link; do
    target=$(readlink "$link")
    ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$1$target")" "$link"
  done
}

arm64_sysroot() {
  local scratch file names
  names=$(grep -v '^#' setup/arm64.packages | paste -sd' ')
  arm64_update || return 1
  scratch=$(mktemp -d "$ARM64/fetch.XXXXXX")
  say 'arm64: unpacking the libraries to link against (25 MB, about 10 s)'
  # shellcheck disable=SC2086  # One word per package.
  if ! (cd "$scratch" && retry arm64_apt download $names) >>"$LOGS/apt.log" 2>&1; then
    rm -rf "$scratch"
    return 1
  fi
  rm -rf "$ARM64_SYSROOT"
  mkdir -p "$ARM64_SYSROOT"
  for file in "$scratch"/*.deb; do dpkg -x "$file" "$ARM64_SYSROOT" || return 1; done
  rm -rf "$scratch"
  relative_links "$ARM64_SYSROOT"
}

step_arm64() {
  local key
  key=$(stamp_key setup/arm64.packages setup/arm64.sh </dev/null)
  if ! is_done arm64 "$key" "$ARM64_SYSROOT/usr/include/openssl/ssl.h" \
    "$ARM64_SYSROOT/usr/lib/aarch64-linux-gnu/libcrypto.so.3"; then
    arm64_sysroot || die 'arm64: the libraries to link against could not be had (var/logs/apt.log)'
    mark_done arm64 "$key"
  fi
  ort_headers || warn 'ONNX Runtime headers: juggler-consumer for arm64 is built with the twin engine alone'
  [[ -s $ARM64_ORT/lib/libonnxruntime.so.1 ]] || fetch_ort_library aarch64 "$ARM64_ORT" ||
    warn "ONNX Runtime library for arm64 (PyPI package onnxruntime $ORT_VERSION): make arm64 cannot run"
}
