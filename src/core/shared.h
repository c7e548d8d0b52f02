#pragma once
// A value that several hold and nobody changes: copies cost a count, not the value.

#include <memory>
#include <utility>

namespace juggler {

// Never empty. Reads like an optional that always has its value.
template <class T>
class Shared {
 public:
  Shared(T value)  // NOLINT(google-explicit-constructor): it is one, held elsewhere
      : value_(std::make_shared<const T>(std::move(value))) {}

  operator const T&() const { return *value_; }  // NOLINT(google-explicit-constructor)
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }

 private:
  std::shared_ptr<const T> value_;
};

}  // namespace juggler
