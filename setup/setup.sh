#!/usr/bin/env bash
# Prepares this machine to build, run and test Juggler: setup/setup.sh STEP… (see `usage`).
#
# Every step says what it does, does nothing when it is done already, and writes only below var/
# (but for Debian packages). A step that cannot reach a registry says what is missing and lets the
# next ones go on; only missing build or test packages stop everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PATH:/usr/sbin:/sbin  # ldconfig; Debian leaves these out for users.

usage() {
  cat <<'EOF'
usage: setup/setup.sh STEP…
  packages GROUP   Debian packages of a group of setup/packages.list (build, test, check, arm64, package, bench, models, report)
  cmake            CMake 3.25 or newer, where the system's is older (Ubuntu 22.04)
  onnxruntime      ONNX Runtime's headers and library, in var/onnxruntime
  arm64            what the arm64 build links against, in var/arm64
  photos           photographs with a free licence, in var/photos
  models           ONNX files and their catalogue, in var/models
  check-models     what every variant says about every photograph, beside the truth
  mirror           prints the Debian mirror that is used ($JUGGLER_DEBIAN_MIRROR, else apt's own)
  status           what is there and what is not; changes nothing
  list             what to install by hand on a system that is not recognised
EOF
}

# shellcheck source=setup/lib.sh
source setup/lib.sh
# shellcheck source=setup/system.sh
source setup/system.sh
# shellcheck source=setup/packages.sh
source setup/packages.sh
# shellcheck source=setup/cmake.sh
source setup/cmake.sh
# shellcheck source=setup/debian_files.sh
source setup/debian_files.sh
# shellcheck source=setup/onnxruntime.sh
source setup/onnxruntime.sh
# shellcheck source=setup/arm64.sh
source setup/arm64.sh
# shellcheck source=setup/photos.sh
source setup/photos.sh
# shellcheck source=setup/models.sh
source setup/models.sh
# shellcheck source=setup/status.sh
source setup/status.sh

(($# > 0)) || { usage; exit 2; }
while (($# > 0)); do
  case $1 in
    packages)
      (($# > 1)) || { usage; exit 2; }
      step_packages "$2"
      shift
      ;;
    cmake | onnxruntime | arm64 | photos | models) "step_$1" ;;
    check-models) step_check_models ;;
    mirror) debian_mirror ;;
    status) step_status ;;
    list) print_package_list ;;
    -h | --help) usage ;;
    *) usage; exit 2 ;;
  esac
  shift
done

if ((${#missing[@]} > 0)); then
  printf '[setup] done, without:\n'
  printf '[setup]   - %s\n' "${missing[@]}"
fi
