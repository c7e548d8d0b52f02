#pragma once
// Errors as values. Exceptions stop at the wrappers of libraries that throw.

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace juggler {

// What kind of failure it is, for programs; people read the message.
enum class ErrorCode {
  InvalidArgument,  // a flag, file, message or header that says something impossible
  NotFound,
  Unsupported,  // well-formed, but not something this build or machine can do
  TooLarge,
  Unavailable,  // the other side is away or refuses; trying again later may help
  Corrupt,      // bytes that do not decode
  Internal,
};

struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;  // what failed, on what, why, and what to do next
};

// A value or the error that took its place.
//
// Derives from tl::expected so that dropping one is a warning: tl::expected 1.0 is not
// [[nodiscard]], and an alias cannot be.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(tl::expected<T, Error> value)  // NOLINT(google-explicit-constructor)
      : tl::expected<T, Error>(std::move(value)) {}
  Result(Error error)  // NOLINT(google-explicit-constructor): `return Error{...}` reads well
      : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}
};

// An Error built in place: `return fail(ErrorCode::NotFound, "no such file: " + path);`
inline Error fail(ErrorCode code, std::string message) { return {code, std::move(message)}; }

}  // namespace juggler
