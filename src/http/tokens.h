#pragma once
// Bearer tokens: who may ask. A file has a line for each, `name:sha256-of-the-token`, so that who
// reads the file can use none of them.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace juggler::http {

inline constexpr std::size_t kTokensMax = 1'000;
inline constexpr std::size_t kTokenNameMax = 32;
inline constexpr std::size_t kTokenFileMax = 256'000;
inline constexpr std::size_t kTokenBytesMax = 256;  // of one that is presented

// Lower-case letters, digits and hyphens; not `local`, which is who comes without a token.
bool valid_token_name(std::string_view name);

// A line of the file. requires a valid name
std::string token_line(std::string_view name, std::string_view token);

class TokenTable {
 public:
  // Blank lines, and those that begin with '#', count for nothing. A name may have several tokens,
  // so that one can be changed without a gap. Without any line nobody is let in.
  //
  // errors  the number of the line and what is wrong. Never what stands there.
  static Result<TokenTable> parse(std::string_view text);

  // Whose token this is. Takes the same time for every token of a length.
  std::optional<std::string> owner(std::string_view token) const;

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string name;
    std::string digest;
  };
  std::vector<Entry> entries_;
};

}  // namespace juggler::http
