// Fuzzes what the HTTP interface reads: bodies of inferences with their two lengths, pictures with
// their requirements, heads, token files, base64. The first line says what the rest is. What is
// taken is a task that the controller would take too, and no larger than what came.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "http/asked.h"
#include "http/base64.h"
#include "http/gate.h"
#include "http/listen.h"
#include "http/tokens.h"
#include "wire/messages.h"

namespace {

using juggler::http::Asked;
using juggler::http::Fields;
using juggler::http::Request;

// Lines `name=value` up to an empty one; the rest stays in `text`.
Fields read_fields(std::string_view& text) {
  Fields fields;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) {
      break;
    }
    const std::size_t equals = std::min(line.find('='), line.size());
    fields.emplace(line.substr(0, equals), line.substr(std::min(equals + 1, line.size())));
  }
  return fields;
}

void check(const juggler::Result<Asked>& asked, std::size_t size) {
  if (!asked) {
    JUGGLER_CHECK(!asked.error().message.empty(), "a refusal without a reason");
    return;
  }
  JUGGLER_CHECK(asked->task.body != nullptr && asked->task.body->size() <= size, "it has grown");
  JUGGLER_CHECK(asked->id.empty() || juggler::http::valid_id(asked->id), "an id that fits nowhere");
  juggler::wire::Envelope sent = asked->task;
  sent.message_id = "local/1";
  if (asked->picture) {
    sent.content_type = "image/png";
  }
  const auto decoded = juggler::wire::decode_submission(sent, false);
  JUGGLER_CHECK(decoded.refusal.empty(), "the controller would refuse it");
}

void read_head(std::string_view text) {
  static juggler::http::Gate open(std::nullopt);
  static const std::string kDigests = juggler::http::token_line("a", "secret") + "\n";
  static juggler::http::Gate guarded(*juggler::http::TokenTable::parse(kDigests));
  Request head;
  const std::size_t space = std::min(text.find(' '), text.size());
  head.method = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  const std::size_t end = std::min(text.find('\n'), text.size());
  head.path = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  head.headers = read_fields(text);
  (void)open.admit(head);
  const auto admitted = guarded.admit(head);
  const auto* passed = std::get_if<juggler::http::Admitted>(&admitted);
  if (passed != nullptr && !passed->route.open) {
    JUGGLER_CHECK(juggler::http::value_of(head.headers, "authorization").substr(7) == "secret",
                  "let in without the token");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view kind = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  Request request;
  if (kind == "infer") {
    request.headers = read_fields(text);
    request.body = juggler::wire::make_body(std::string(text));
    check(juggler::http::read_infer(request, "auto"), text.size());
    check(juggler::http::read_infer(request, "resnet50-fp32"), text.size());
  } else if (kind == "classify") {
    request.query = read_fields(text);
    request.headers = read_fields(text);
    request.body = juggler::wire::make_body(std::string(text));
    check(juggler::http::read_classify(request), text.size());
  } else if (kind == "head") {
    read_head(text);
  } else if (kind == "tokens") {
    if (const auto table = juggler::http::TokenTable::parse(text)) {
      JUGGLER_CHECK(!table->owner("not a token of theirs"), "anybody may ask");
    }
  } else {
    (void)juggler::http::ListenAddress::parse(text);
    if (const auto bytes = juggler::http::base64_bytes(text)) {
      JUGGLER_CHECK(bytes->size() <= text.size() / 4 * 3, "it has grown");
    }
  }
  return 0;
}
