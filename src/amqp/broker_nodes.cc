#include "amqp/broker_nodes.h"

#include <algorithm>
#include <utility>

#include "spdlog/spdlog.h"

namespace juggler::amqp {

BrokerNodes::BrokerNodes(const BrokerUrl& broker, std::function<Result<BrokerUrl>()> read_again)
    : read_again_(std::move(read_again)) {
  take(broker);
}

void BrokerNodes::take(const BrokerUrl& broker) {
  nodes_ = {broker};
  nodes_.front().others.clear();
  nodes_.insert(nodes_.end(), broker.others.begin(), broker.others.end());
}

void BrokerNodes::read_login() {
  const Result<BrokerUrl> found = read_again_();
  if (!found) {
    spdlog::warn("broker: the login cannot be read again, the old one is tried: {}",
                 found.error().message);
  } else if (found->user != nodes_.front().user) {
    spdlog::warn("broker: the login is now another user's, '{}': start anew to be that one",
                 found->user);
  } else {
    take(*found);
  }
}

BrokerUrl BrokerNodes::next() {
  if (!std::exchange(read_, false) && read_again_) {
    read_login();
  }
  return nodes_[at_ % nodes_.size()];
}

BrokerUrl BrokerNodes::all() const {
  std::vector<BrokerUrl> turned = nodes_;
  std::rotate(turned.begin(), turned.begin() + static_cast<std::ptrdiff_t>(at_ % turned.size()),
              turned.end());
  BrokerUrl broker = turned.front();
  broker.others.assign(turned.begin() + 1, turned.end());
  return broker;
}

}  // namespace juggler::amqp
