#pragma once
// Bytes on their way to the socket. Small ones are gathered, large bodies are sent from where they
// lie, and a partial write is remembered.

#include <deque>
#include <string>
#include <string_view>

#include "amqp/stream.h"
#include "core/result.h"
#include "wire/envelope.h"

namespace juggler::amqp {

class OutBuffer {
 public:
  void append(std::string_view bytes);
  // `length` bytes of `body` from `offset`; the body is kept alive, not copied, where it is large.
  void append(const wire::Body& body, std::size_t offset, std::size_t length);

  // Writes until all is gone or the socket takes no more. Returns the bytes written.
  Result<std::size_t> flush(Stream& stream);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  void clear();

 private:
  struct Segment {
    std::string own;
    wire::Body shared;  // in place of `own`
    std::size_t begin = 0;
    std::size_t end = 0;  // of `shared`; `own` ends where it ends

    std::size_t left() const { return (shared ? end : own.size()) - begin; }
    const char* data() const { return (shared ? shared->data() : own.data()) + begin; }
  };

  void consume(std::size_t count);

  std::deque<Segment> segments_;
  std::size_t size_ = 0;
};

}  // namespace juggler::amqp
