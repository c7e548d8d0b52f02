#include "amqp/out_buffer.h"

#include <algorithm>
#include <array>

namespace juggler::amqp {
namespace {

constexpr std::size_t kGatherMax = 64 << 10;  // of one segment of small writes
constexpr std::size_t kCopyMax = 8 << 10;     // a body up to this is cheaper copied than referenced
constexpr std::size_t kPiecesMax = 64;        // of one sendmsg

}  // namespace

void OutBuffer::append(std::string_view bytes) {
  if (segments_.empty() || segments_.back().shared || segments_.back().own.size() >= kGatherMax) {
    segments_.emplace_back();
  }
  segments_.back().own.append(bytes);
  size_ += bytes.size();
}

void OutBuffer::append(const wire::Body& body, std::size_t offset, std::size_t length) {
  if (length <= kCopyMax) {
    append(std::string_view(*body).substr(offset, length));
    return;
  }
  if (!segments_.empty() && segments_.back().left() == 0) {
    segments_.pop_back();  // no empty piece is ever offered: TLS refuses them
  }
  Segment& segment = segments_.emplace_back();
  segment.shared = body;
  segment.begin = offset;
  segment.end = offset + length;
  size_ += length;
}

Result<std::size_t> OutBuffer::flush(Stream& stream) {
  std::size_t total = 0;
  while (size_ > 0) {
    std::array<iovec, kPiecesMax> pieces{};
    const std::size_t count = std::min(segments_.size(), kPiecesMax);
    std::size_t offered = 0;
    for (std::size_t i = 0; i < count; ++i) {
      pieces[i] = {const_cast<char*>(segments_[i].data()), segments_[i].left()};
      offered += segments_[i].left();
    }
    auto written = stream.write(std::span(pieces).first(count));
    if (!written) {
      return written;
    }
    consume(*written);
    total += *written;
    if (*written < offered) {
      break;
    }
  }
  return total;
}

void OutBuffer::clear() {
  segments_.clear();
  size_ = 0;
}

void OutBuffer::consume(std::size_t count) {
  size_ -= count;
  while (count > 0) {
    Segment& first = segments_.front();
    const std::size_t taken = std::min(count, first.left());
    first.begin += taken;
    count -= taken;
    if (first.left() == 0) {
      // The last gathering segment keeps its memory: it is filled again at once.
      if (segments_.size() == 1 && !first.shared) {
        first.own.clear();
        first.begin = 0;
        return;
      }
      segments_.pop_front();
    }
  }
}

}  // namespace juggler::amqp
