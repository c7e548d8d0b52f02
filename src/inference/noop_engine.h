#pragma once
// An engine that computes nothing, to measure everything around one. Its answer depends on the
// payload, so that a benchmark can check that it got its own answer back.

#include <memory>

#include "core/model.h"
#include "runtime/engine.h"

namespace juggler {

inline constexpr const char* kNoopVariant = "noop-fp32";

// Model and network `noop`. Its labels mean nothing, which is what `synthetic` says: only a task
// that names it gets it.
Variant noop_variant();

// Answers any bytes with one label: the first 16 hexadecimal digits of their SHA-256, score 1.
std::unique_ptr<InferenceEngine> make_noop_engine();

}  // namespace juggler
