// Fuzzes what joining reads: the pasted line, a board's request, and the answer with the address in
// it. A line that is taken names a token and sends no login in the clear; of an answer only a login
// of the device itself is kept.

#include "amqp/join_line.h"
#include "core/check.h"
#include "fuzz/envelope_text.h"
#include "wire/join.h"

namespace {

constexpr const char* kDevice = "pi-1";

void read_line(std::string_view text) {
  const auto line = juggler::amqp::read_join_line(text);
  if (!line) {
    JUGGLER_CHECK(!line.error().message.empty(), "an error without a message");
    return;
  }
  JUGGLER_CHECK(juggler::amqp::token_end(line->user).has_value(), "a line without a token");
  const auto again = juggler::amqp::read_join_line(line->text());
  JUGGLER_CHECK(again.has_value() && again->text() == line->text(), "written as something else");
}

void read_answer(const std::string& address) {
  static const auto kLine = juggler::amqp::read_join_line(
      "amqps://join.1.x:token@192.0.2.7/juggler?fingerprint=sha256%3A" + std::string(64, 'a'));
  const auto kept = juggler::amqp::joined_address(*kLine, address, kDevice);
  if (!kept) {
    return;
  }
  JUGGLER_CHECK(kept->host == kLine->host && kept->fingerprint == kLine->fingerprint,
                "the answer says whom to trust");
  const std::string text = kept->text();  // one line of a file
  JUGGLER_CHECK(text.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                "more than a line");
  const auto again = juggler::amqp::BrokerUrl::parse(text);
  JUGGLER_CHECK(again.has_value() && again->user == kDevice && again->password == kept->password,
                "kept as something else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_line({reinterpret_cast<const char*>(data), size});
  const juggler::wire::Envelope envelope = juggler::fuzz::read_envelope(data, size);
  if (const auto request = juggler::wire::decode_join(envelope)) {
    const auto again =
        juggler::wire::decode_join(juggler::wire::encode_join(*request, "replies", "token"));
    JUGGLER_CHECK(again.has_value() && again->device == request->device &&
                      again->unix_seconds == request->unix_seconds,
                  "encoded something else");
  }
  if (const auto answer = juggler::wire::decode_joined(envelope)) {
    read_answer(answer->address);
  }
  if (envelope.body != nullptr) {
    read_answer(*envelope.body);
  }
  return 0;
}
