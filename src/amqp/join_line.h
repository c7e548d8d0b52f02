#pragma once
// The one line that is pasted on a board: the broker's address, its fingerprint and a one-time
// token, as an address of the broker whose login is the token.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "amqp/broker_users.h"
#include "amqp/session.h"
#include "core/result.h"

namespace juggler::amqp {

inline constexpr std::int64_t kTokenSecondsDefault = 3'600;

// When a token's login ends, by its user's name; nothing where it is no token's.
std::optional<std::int64_t> token_end(std::string_view user);

// Makes a token at the broker and returns the line.
Result<std::string> invite(const BrokerUsers& users, BrokerUrl address, std::int64_t ends_unix);

// The address in such a line; the quotes and the command around it may be there too.
//
// errors  it is no such line, or it would send the token in the clear to another machine
Result<BrokerUrl> read_join_line(std::string_view line);

// The address to keep once the desk has answered: the line's, with the login of `device`. Nothing
// else is taken from the answer, whoever sent it: not the host, and not what is trusted.
//
// errors  Corrupt: that is no login of this device
Result<BrokerUrl> joined_address(const BrokerUrl& line, std::string_view answered,
                                 std::string_view device);

}  // namespace juggler::amqp
