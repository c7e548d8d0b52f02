# shellcheck shell=bash disable=SC2153
# Single files out of Debian packages, without installing these: a private apt source list below
# var/apt, which the system's own apt never sees. Sourced by setup.sh.
#
# debian_update                       reads the package lists (38 MB, 5 s), once an hour
# debian_unpack PACKAGE/RELEASE DIR   unpacks a binary package into DIR
# debian_source PACKAGE/RELEASE DIR   unpacks a source package's original tarball into DIR

readonly APT_ROOT=$VAR/apt
debian_unreachable=no  # One series of tries for each call of setup.sh is enough.

# The mirror this machine uses already. On a system that is not Debian: the one that python-apt
# (part of every Ubuntu) names for Debian. JUGGLER_DEBIAN_MIRROR overrides both.
debian_mirror() {
  if [[ -n ${JUGGLER_DEBIAN_MIRROR:-} ]]; then
    printf '%s\n' "$JUGGLER_DEBIAN_MIRROR"
    return
  fi
  local mirror template=/usr/share/python-apt/templates/Debian.info
  # awk reads to the end: apt-get must not meet a closed pipe. $(…) is apt-get's own syntax here.
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && $2 !~ /security/ && !found { print $2; found = 1 }')
  if [[ -z $mirror && -r $template ]]; then
    mirror=$(sed -n 's/^BaseURI: //p' "$template" | sed -n 1p)
  fi
  [[ -n $mirror ]] && printf '%s\n' "$mirror"
}

private_apt() {
  local root=$ROOT/$APT_ROOT
  apt-get -q -o Dir::Etc::sourcelist="$root/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State::lists="$root/lists" -o Dir::Cache="$root/cache" -o Debug::NoLocking=true \
    -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@"
}

debian_update() {
  [[ -z $(find "$APT_ROOT/updated" -mmin -60 2>/dev/null) ]] || return 0
  [[ $debian_unreachable == no ]] || return 1
  local mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(debian_mirror) || { say 'no Debian mirror known: set JUGGLER_DEBIAN_MIRROR'; return 1; }
  [[ -r $keys ]] || { say "no $keys: install the package debian-archive-keyring"; return 1; }
  mkdir -p "$APT_ROOT/lists/partial" "$APT_ROOT/cache/archives/partial"
  printf '%s\n' "deb [signed-by=$keys] $mirror bookworm main" \
    "deb [signed-by=$keys] $mirror trixie main" \
    "deb-src [signed-by=$keys] $mirror bookworm main" >"$APT_ROOT/sources.list"
  say 'reading the lists of Debian 12 and 13 into var/apt (38 MB, about 5 s)'
  if ! retry quietly apt private_apt -o APT::Update::Error-Mode=any update; then
    debian_unreachable=yes
    return 1
  fi
  touch "$APT_ROOT/updated"
}

debian_unpack() {
  local package=$1 into=$2 scratch
  debian_update || return 1
  scratch=$(mktemp -d "$APT_ROOT/unpack.XXXXXX")
  (cd "$scratch" && retry private_apt download "$package") >>"$LOGS/apt.log" 2>&1 &&
    mkdir -p "$into" && dpkg -x "$scratch"/*.deb "$into"
  local status=$?
  rm -rf "$scratch"
  return "$status"
}

debian_source() {
  local package=$1 into=$2 scratch
  debian_update || return 1
  scratch=$(mktemp -d "$APT_ROOT/unpack.XXXXXX")
  # --tar-only: Debian's own patches are of no use here.
  (cd "$scratch" && retry private_apt source --download-only --tar-only "$package") \
    >>"$LOGS/apt.log" 2>&1 &&
    mkdir -p "$into" && tar -xf "$scratch"/*.orig.tar.* -C "$into" --strip-components=1
  local status=$?
  rm -rf "$scratch"
  return "$status"
}
