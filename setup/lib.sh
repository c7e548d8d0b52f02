# shellcheck shell=bash disable=SC2034
# What every set-up step shares: printing, retries, root, stamps. Sourced by setup.sh; does nothing
# by itself.

# Debian's own Python: torchvision is a Debian package, which a Python from elsewhere (pyenv, conda)
# cannot import.
readonly PYTHON=${PYTHON:-/usr/bin/python3}
readonly ROOT=$PWD  # setup.sh has changed to the top of the checkout.
readonly VAR=var
readonly STAMPS=$VAR/stamps
readonly LOGS=$VAR/logs
readonly ATTEMPTS_MAX=3
export PIP_RETRIES=0  # `retry` below does it.

# Steps that could not do all they should add a sentence here; setup.sh prints them at the end.
missing=()

say() { printf '[setup] %s\n' "$*"; }
warn() { printf '[setup] MISSING: %s\n' "$*" >&2; missing+=("$*"); }
die() { printf '[setup] ERROR: %s\n' "$*" >&2; exit 1; }

# retry COMMAND…: up to ATTEMPTS_MAX tries, 2 s then 4 s (and up to 1 s more) apart.
retry() {
  local attempt
  for ((attempt = 1; ; ++attempt)); do
    "$@" && return 0
    ((attempt < ATTEMPTS_MAX)) || return 1
    say "try $attempt of $ATTEMPTS_MAX failed; again in $((attempt * 2)) s"
    sleep "$((attempt * 2)).$((RANDOM % 10))"
  done
}

# quietly LOG COMMAND…: output to var/logs/LOG.log; only a failure's last lines are shown.
quietly() {
  local log=$LOGS/$1.log
  shift
  mkdir -p "$LOGS"
  "$@" >>"$log" 2>&1 && return 0
  say "failed (all of it: $log):"
  tail -n 3 "$log" | cut -c 1-200 | sed 's/^/    /' >&2
  return 1
}

# as_root COMMAND…: runs it as root, through sudo where needed.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "'$1' needs root, and sudo is not installed: run as root, or install the packages by hand"
  fi
}

# A stamp holds the checksum of all that a step's result depends on. stamp_key FILE… prints it; text
# on which the result depends too comes on standard input. The checksums are of contents and paths,
# so a fresh checkout with the same files keeps its results.
stamp_key() { { cat; sha256sum "$@"; } | sha256sum | cut -d' ' -f1; }

# is_done STEP KEY FILE…: true if STEP was finished with KEY and all FILEs are still there.
is_done() {
  local stamp=$STAMPS/$1 key=$2 file
  shift 2
  [[ -f $stamp && $(<"$stamp") == "$key" ]] || return 1
  for file; do [[ -s $file ]] || return 1; done
}

# mark_done STEP KEY MISSING…: not to be done again, though what is named could not be had.
mark_done() {
  local step=$1 key=$2
  shift 2
  mkdir -p "$STAMPS"
  rm -f "$STAMPS/$step.missing"
  (($# == 0)) || printf '%s\n' "$@" >"$STAMPS/$step.missing"
  printf '%s\n' "$key" >"$STAMPS/$step"
}

# remind STEP COMMAND: what a step that is done had to leave out, and how to try once more.
remind() {
  local what
  [[ ! -f $STAMPS/$1.missing ]] || while read -r what; do
    missing+=("$what (to try again: $2)")
  done <"$STAMPS/$1.missing"
}
