#pragma once
// The HTTP/1.1 server: libmicrohttpd with one thread, for any number of connections that wait. It
// hands complete requests over and takes replies back; what they mean it does not know.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/result.h"
#include "http/gate.h"
#include "http/listen.h"
#include "http/message.h"
#include "http/routes.h"
#include "runtime/clock.h"

namespace juggler::http {

struct ServerOptions {
  ListenAddress address;
  // Called by the server's thread when something has arrived.
  std::function<void()> wake;

  unsigned connections_max = 1'024;
  unsigned connections_of_one_max = 256;    // from one address, where it is not this machine's
  std::size_t head_max = 32'768;            // request line and headers; beyond it 431 or 414
  Bytes bodies_max = mebibytes(256);        // of all requests that are not answered yet
  Bytes bodies_of_one_max = mebibytes(64);  // of these, of one token
  Micros receive_max = seconds(30);         // for a whole request, however steadily it drips
  Micros send_max = seconds(30);            // until a reply is taken
  Micros idle_max = seconds(10);            // between two bytes, and two requests
  Micros wrong_token_wait = seconds(1);     // before a wrong token is told so
  std::size_t wrong_tokens_max = 64;        // that wait so at once; more are told 429
};

class Server {
 public:
  struct Arrived {
    Ticket ticket = 0;
    Route route;
    Request request;
  };

  // `gate` and `clock` outlive it.
  //
  // errors  Unavailable: the port is taken, the address is not this machine's
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Gate& gate, Clock& clock);
  ~Server();  // ends what is under way with 503
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;

  // What has arrived since the last call. thread: the owner's, as tend()
  std::vector<Arrived> take();
  // A ticket whose client has gone is forgotten in silence. thread: any
  void reply(Ticket ticket, Reply reply);
  // Ends connections that take too long, and lets replies go that were held back. Due four times a
  // second.
  void tend();

  std::map<int, std::uint64_t> replies() const;  // so far, by status. thread: any

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace juggler::http
