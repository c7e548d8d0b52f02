# shellcheck shell=bash disable=SC2034
# Which system this is, from /etc/os-release. Sourced by setup.sh.
#
# SYSTEM is a column key of packages.list (debian-12, debian-13, ubuntu-22.04, ubuntu-24.04) or
# "unknown". Raspberry Pi OS calls itself debian (64 bit) or raspbian (32 bit) with Debian's version
# and takes Debian's package names; JetPack 6 is Ubuntu 22.04.
# Tried: Debian 12 and 13 (x86-64). Not tried: Raspberry Pi OS, Ubuntu; their names are from their
# public package lists.

detect_system() {
  local os_release=${JUGGLER_OS_RELEASE:-/etc/os-release}  # Another file serves to test this.
  local id='' version='' name=''
  [[ -r $os_release ]] && {
    id=$(sed -n 's/^ID=//p' "$os_release" | tr -d '"')
    version=$(sed -n 's/^VERSION_ID=//p' "$os_release" | tr -d '"')
    name=$(sed -n 's/^PRETTY_NAME=//p' "$os_release" | tr -d '"')
  }
  SYSTEM_NAME=${name:-unknown system}
  case $id-$version in
    debian-12 | raspbian-12) SYSTEM=debian-12 ;;
    debian-13 | raspbian-13) SYSTEM=debian-13 ;;
    ubuntu-22.04) SYSTEM=ubuntu-22.04 ;;
    ubuntu-24.04) SYSTEM=ubuntu-24.04 ;;
    *) SYSTEM=unknown ;;
  esac
  if [[ -e /etc/rpi-issue ]]; then
    SYSTEM_NAME="Raspberry Pi OS on $SYSTEM_NAME"
  elif [[ -e /etc/nv_tegra_release ]]; then
    SYSTEM_NAME="$SYSTEM_NAME with JetPack"
  fi
  readonly SYSTEM SYSTEM_NAME
}
detect_system
