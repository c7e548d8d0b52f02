# shellcheck shell=bash
# Step status: what is there and what is not; changes nothing. Sourced by setup.sh.

count() { find "$1" -name "$2" 2>/dev/null | wc -l; }

step_status() {
  local group lacking library trained
  say "system: $SYSTEM_NAME ($SYSTEM)"
  for group in build test bench models report; do
    # shellcheck disable=SC2046  # One word per package.
    lacking=$(not_installed $(package_rows "$group" | cut -d' ' -f1) | paste -sd' ')
    say "packages ($group): ${lacking:+missing: }${lacking:-all installed}"
  done
  library=${ORT_LIBRARY:-$(system_ort_library)}
  library=${library:-$ORT_DIR/lib/libonnxruntime.so.1}
  say "ONNX Runtime: $([[ -r $library ]] && echo "$library" || echo 'missing: twins only')"
  trained=$(grep -c '^weights = "pretrained"' "$MODELS/catalogue.toml" 2>/dev/null || true)
  say "models: $(count "$MODELS" '*.onnx') ONNX files, ${trained:-0} with trained weights"
  say "photographs: $(($(count "$PHOTOS" '*.jpg') + $(count "$PHOTOS" '*.png')))"
}
