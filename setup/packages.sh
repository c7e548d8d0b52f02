# shellcheck shell=bash
# Step packages GROUP: installs what is missing of a group of packages.list. Sourced by setup.sh.

# package_rows GROUP: "name purpose…" with the names of this system; without GROUP: all, and Debian's.
package_rows() {
  awk -v group="${1-}" -v this="$SYSTEM" '
    /^#/ || NF < 4 { next }
    group != "" && $1 != group { next }
    {
      name = $2
      count = split($3, elsewhere, ",")
      for (i = 1; i <= count; ++i)
        if (split(elsewhere[i], pair, "=") == 2 && pair[1] == this) name = pair[2]
      if (name == "-") next
      $1 = $2 = $3 = ""
      sub(/^ +/, "")
      print name, $0
    }' setup/packages.list
}

print_package_list() {
  say "system: $SYSTEM_NAME ($SYSTEM)"
  printf 'Needed, by the names of Debian 12:\n'
  package_rows '' | while read -r name purpose; do printf '  %-24s %s\n' "$name" "$purpose"; done
}

# Which of the packages named are not installed.
not_installed() {
  local name installed
  # ${…} is dpkg-query's own syntax; it fails for names that it does not know.
  # shellcheck disable=SC2016
  installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' | paste -sd' ' || true) "
  for name; do [[ $installed == *" $name "* ]] || printf '%s\n' "$name"; done
}

# A package's service would be started by its installation, and at every boot. Juggler wants the
# broker's program, not a broker of the system: while packages are installed, a policy-rc.d (Debian's
# own hook for this; one that exists already is left alone) forbids starting the broker and Erlang's
# port mapper, and after the installation they are disabled. A broker or an Erlang that was installed
# before keeps its service. Not tried: a system run by systemd.
readonly POLICY=/usr/sbin/policy-rc.d
new_services=()

forbid_broker_start() {
  new_services=(rabbitmq-server.service)
  [[ -z $(not_installed erlang-base) ]] || new_services+=(epmd.socket epmd.service)
  [[ ! -e $POLICY ]] || return 0
  as_root tee "$POLICY" >/dev/null <<'EOF'
#!/bin/sh
# Placed by Juggler's set-up while it installs packages; removed afterwards.
case $1 in rabbitmq-server | epmd*) exit 101 ;; esac
EOF
  as_root chmod 755 "$POLICY"
  trap 'as_root rm -f "$POLICY"' EXIT
}

allow_broker_start() {
  trap - EXIT
  if grep -q "Placed by Juggler's set-up" "$POLICY" 2>/dev/null; then as_root rm -f "$POLICY"; fi
  if [[ -d /run/systemd/system ]]; then
    as_root systemctl disable --quiet --now "${new_services[@]}" 2>/dev/null || true
  fi
}

apt_install() {
  quietly packages as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}

lists_are_fresh() {
  local lists=/var/lib/apt/lists
  [[ -n $(find "$lists" -maxdepth 0 -mmin -30) ]] &&
    [[ -n $(find "$lists" -maxdepth 1 -name '*Packages*' -print -quit) ]]
}

apt_update() { quietly packages as_root apt-get -q -o DPkg::Lock::Timeout=300 update; }

step_packages() {
  local group=$1 names wanted lacking status=0
  if [[ $SYSTEM == unknown ]]; then
    say "this system is not recognised: $SYSTEM_NAME. Recognised: Debian 12 and 13," \
      'Raspberry Pi OS 12 and 13, Ubuntu 22.04 (JetPack 6) and 24.04.'
    print_package_list
    die 'install these, then build by hand: cmake --preset release && cmake --build build/release' \
      '(docs/models.md for the rest)'
  fi
  names=$(package_rows "$group" | cut -d' ' -f1)
  [[ -n $names ]] || die "no group '$group' in setup/packages.list"
  # shellcheck disable=SC2086  # One word per package.
  wanted=$(not_installed $names | paste -sd' ')
  [[ -n $wanted ]] || return 0
  say "packages ($group) on $SYSTEM_NAME: installing $wanted"
  case $group in
    build) say '  (about 1 minute, 140 MB)' ;;
    models) say '  (about 1 minute, 155 MB)' ;;
    *) say '  (about 10 s)' ;;
  esac
  lists_are_fresh || retry apt_update || say 'the package lists could not be read; trying those at hand'
  [[ " $wanted " != *" rabbitmq-server "* ]] || forbid_broker_start
  # shellcheck disable=SC2086
  retry apt_install $wanted || status=1
  [[ " $wanted " != *" rabbitmq-server "* ]] || allow_broker_start
  # shellcheck disable=SC2086
  lacking=$(not_installed $names | paste -sd' ')
  if [[ -z $lacking ]]; then return "$status"; fi
  if [[ $group == models ]]; then
    warn "packages for the models: $lacking"
  else
    die "packages that could not be installed: $lacking"
  fi
}
