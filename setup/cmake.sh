# shellcheck shell=bash
# Step cmake: CMake 3.25, which reads the presets. Ubuntu 22.04 has 3.22: there the PyPI package
# `cmake`, which carries the program, goes to var/cmake; the Makefile has its folder in PATH.
# Sourced by setup.sh.

readonly CMAKE_WANTED=3.25
readonly CMAKE_FROM_PYPI=3.31.6

step_cmake() {
  local have oldest
  have=$(cmake --version 2>/dev/null | sed -n '1s/.* //p')
  oldest=$(printf '%s\n' "$CMAKE_WANTED" "$have" | sort -V | sed -n 1p)
  if [[ -n $have && $oldest == "$CMAKE_WANTED" ]]; then return 0; fi
  if [[ -x $VAR/cmake/cmake/data/bin/cmake ]]; then return 0; fi
  say "cmake: this system has ${have:-none}, $CMAKE_WANTED is needed;" \
    "taking $CMAKE_FROM_PYPI from PyPI (30 MB, about 10 s)"
  retry quietly cmake "$PYTHON" -m pip install --no-deps --target "$VAR/cmake" \
    "cmake==$CMAKE_FROM_PYPI" ||
    die "no CMake $CMAKE_WANTED or newer: install one, or make PyPI reachable"
}
