#include "amqp/ack_window.h"

#include <algorithm>

namespace juggler::amqp {

void AckWindow::settle(std::uint64_t tag, Settlement::Kind kind) {
  if (!open_.contains(tag)) {
    return;
  }
  if (kind == Settlement::Kind::Ack) {
    acks_.push_back(tag);
  } else {
    open_.erase(tag);
    rejections_.push_back({kind, tag, false});
  }
}

void AckWindow::take(std::vector<Settlement>& out) {
  out.insert(out.end(), rejections_.begin(), rejections_.end());
  rejections_.clear();
  std::sort(acks_.begin(), acks_.end());
  acks_.erase(std::unique(acks_.begin(), acks_.end()), acks_.end());
  std::size_t run = 0;
  while (run < acks_.size() && !open_.empty() && acks_[run] == *open_.begin()) {
    open_.erase(open_.begin());
    ++run;
  }
  if (run > 0) {
    out.push_back({Settlement::Kind::Ack, acks_[run - 1], run > 1});
  }
  for (std::size_t i = run; i < acks_.size(); ++i) {
    if (open_.erase(acks_[i]) > 0) {
      out.push_back({Settlement::Kind::Ack, acks_[i], false});
    }
  }
  acks_.clear();
}

void AckWindow::clear() {
  open_.clear();
  acks_.clear();
  rejections_.clear();
}

}  // namespace juggler::amqp
