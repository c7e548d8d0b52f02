// The queue in which a session hears answers.

#include "amqp/session_setup.h"
#include "amqp/topology.h"
#include "amqp/users.h"
#include "wire/messages.h"

namespace juggler::amqp {
namespace {

constexpr std::size_t kReplyNameBytes = 12;  // of chance
constexpr Bytes kControllersRepliesMax = mebibytes(64);

}  // namespace

// On the side channel: a submitter's login, with which the same may be asked, is refused that name.
tl::expected<Reply, CallFailure> SessionSetup::declare_replies(Connection& connection) {
  if (spec_.controllers_replies) {
    if (auto opened = open_side(connection); !opened) {
      return tl::unexpected(opened.error());
    }
    auto queue = declare_queue(connection, kSideChannel,
                               {.name = wire::kRepliesPrefix + random_text(kReplyNameBytes),
                                .arguments = {{"x-max-length-bytes", kControllersRepliesMax.count}},
                                .exclusive = true});
    if (queue) {
      auto closed = close_side(connection);
      return closed ? queue : tl::unexpected(closed.error());
    }
    side_open_ = false;
    if (queue.error().reply_code != AMQP_ACCESS_REFUSED) {
      return queue;
    }
  }
  return declare_queue(connection, kChannel, {.name = "", .arguments = {}, .exclusive = true});
}

}  // namespace juggler::amqp
