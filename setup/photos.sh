# shellcheck shell=bash
# Step photos: photographs with a free licence, out of Debian packages, into var/photos.
# Sourced by setup.sh. What each file is, where it is from and under which licence: photos.toml, which
# becomes var/photos/SOURCES.toml.

readonly PHOTOS=$VAR/photos

# photo_rows: "file package kind path sha256" of every photograph in photos.toml.
photo_rows() {
  awk -F ' = ' '
    function text(value) { gsub(/^"|"$/, "", value); return value }
    /^\[\[photo\]\]/ { if (file) print file, package, kind, path, sha; file = "" }
    $1 == "file" { file = text($2) }
    $1 == "package" { package = text($2) }
    $1 == "package_kind" { kind = text($2) }
    $1 == "path" { path = text($2) }
    $1 == "sha256" { sha = text($2) }
    END { if (file) print file, package, kind, path, sha }' setup/photos.toml
}

step_photos() {
  local key scratch=$PHOTOS.tmp file package kind path sha unpacked missing_before=${#missing[@]}
  key=$(stamp_key setup/photos.toml </dev/null)
  if is_done photos "$key" "$PHOTOS/SOURCES.toml"; then
    remind photos 'rm var/stamps/photos; make photos'
    return 0
  fi
  say 'photos: taking photographs out of Debian packages (32 MB, about 10 s)'
  rm -rf "$scratch"
  mkdir -p "$scratch" "$PHOTOS"
  # The packages are read in the order of photos.toml, each once; a package that cannot be had loses
  # its own photographs only.
  while read -r file package kind path sha; do
    unpacked=$scratch/${package%%/*}
    if [[ ! -e $unpacked ]]; then
      mkdir -p "$unpacked"
      if ! "debian_$kind" "$package" "$unpacked"; then
        warn "photographs of the Debian package $package (not reachable?)"
      fi
    fi
    if [[ -f $unpacked/$path ]] && echo "$sha  $unpacked/$path" | sha256sum --check --quiet; then
      cp "$unpacked/$path" "$PHOTOS/$file"
    else
      [[ ! -f $unpacked/$path ]] || warn "the photograph $file: its content is not as expected"
    fi
  done < <(photo_rows)
  rm -rf "$scratch"
  cp setup/photos.toml "$PHOTOS/SOURCES.toml"
  if compgen -G "$PHOTOS/*.jpg" >/dev/null; then
    mark_done photos "$key" "${missing[@]:missing_before}"
  fi
  say "photos: $(find "$PHOTOS" -name '*.jpg' -o -name '*.png' | wc -l) in $PHOTOS"
}
