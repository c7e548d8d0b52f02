#pragma once
// One TCP or TLS connection as non-blocking bytes. Knows nothing of AMQP.

#include <sys/uio.h>

#include <memory>
#include <span>

#include "amqp/session.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler::amqp {

// What poll() should wait for before the next read or write can do something.
struct Readiness {
  bool read = true;
  bool write = false;
};

class Stream {
 public:
  // Resolves, connects and, for amqps, shakes hands; each address is tried until `deadline`.
  //
  // Blocks, but for the resolver (whose own time-outs hold) never beyond the deadline.
  static Result<std::unique_ptr<Stream>> connect(const BrokerUrl& url, Time deadline);

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream();

  int fd() const { return fd_; }

  // Reads what is there: the bytes read, or 0 if there are none now. An end of the stream is an
  // error: AMQP never ends without saying so.
  virtual Result<std::size_t> read(std::span<char> into);
  // Writes what fits: the bytes taken, or 0 if none can be now.
  virtual Result<std::size_t> write(std::span<const iovec> pieces);
  // Bytes that were read from the socket already and that poll() does not see.
  virtual bool buffered() const { return false; }
  // What the last read or write was waiting for, beside reading.
  virtual bool wants_write() const { return false; }

 protected:
  explicit Stream(int fd) : fd_(fd) {}

 private:
  int fd_;
};

// A stream over an open socket, once TLS has shaken hands.
Result<std::unique_ptr<Stream>> start_tls(int fd, const BrokerUrl& url, Time deadline);

// TCP lets a socket connect to a port that nobody listens on, if that is its own: it then talks to
// itself, and holds the port that the broker wants when it starts again.
bool connected_to_itself(int fd);

// Waits until `fd` is ready as asked, or the deadline has passed: then false.
bool wait_ready(int fd, Readiness wanted, Time deadline);

}  // namespace juggler::amqp
