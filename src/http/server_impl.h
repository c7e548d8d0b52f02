#pragma once
// The server's inside, shared by server.cc (its life) and server_requests.cc (what the library
// calls). Inside these two only.
//
// on_* are called by the library's thread. A connection that waits for its reply is suspended, and
// nobody but reply() or tend() resumes it, so that its pointer stays good. Our mutex is never held
// while the library is called, which has locks of its own.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/library.h"
#include "http/server.h"
#include "runtime/mutex.h"

namespace juggler::http {

class Server::Impl {
 public:
  Impl(ServerOptions options, Gate& gate, Clock& clock)
      : options_(std::move(options)), gate_(gate), clock_(clock) {}

  Result<void> start();
  void stop();
  int port() const { return port_; }
  std::vector<Arrived> take();
  void reply(Ticket ticket, Reply reply);
  void tend();
  std::map<int, std::uint64_t> replies() const {
    const MutexLock lock(mutex_);
    return replies_;
  }

 private:
  // One request, from its head to the end of its reply.
  struct Exchange {
    MHD_Connection* connection = nullptr;
    Admitted admitted;
    Request request;
    std::string body;
    std::size_t reserved = 0;
    bool handed_over = false;
    bool unwanted = false;  // it is refused, when the rest of it has come
    std::optional<Reply> reply;
  };
  struct Held {
    Ticket ticket = 0;
    Time due;
  };
  struct Open {
    int fd = -1;
    Time until;
  };

  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url,
                               const char* method, const char* version, const char* upload,
                               std::size_t* upload_size, void** exchange);
  static void on_completed(void* self, MHD_Connection* connection, void** exchange,
                           MHD_RequestTerminationCode how);
  static void on_connection(void* self, MHD_Connection* connection, void** context,
                            MHD_ConnectionNotificationCode what);

  MHD_Result begin(Exchange& exchange, const char* url, const char* method);
  static Reply ends();
  MHD_Result turn_away(Exchange& exchange, Reply reply);
  MHD_Result hold(Exchange& exchange);
  MHD_Result hand_over(Exchange& exchange);
  // A connection waits for the reply to this ticket; 0: for none, since the server ends.
  Ticket suspend(Exchange& exchange);
  MHD_Result queue(Exchange& exchange, const Reply& reply);
  bool reserve(Exchange& exchange);
  // By when the connection must have come further; never: it waits for us.
  void await(MHD_Connection* connection, Time until);

  const ServerOptions options_;
  Gate& gate_;
  Clock& clock_;
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;

  mutable Mutex mutex_;
  bool ending_ GUARDED_BY(mutex_) = false;  // nothing waits any more
  Ticket last_ticket_ GUARDED_BY(mutex_) = 0;
  std::vector<Arrived> arrived_ GUARDED_BY(mutex_);
  std::map<Ticket, Exchange*> waiting_ GUARDED_BY(mutex_);  // suspended
  std::vector<Held> held_ GUARDED_BY(mutex_);               // of these, those that wait for a time
  std::map<MHD_Connection*, Open> open_ GUARDED_BY(mutex_);
  std::size_t exchanges_ GUARDED_BY(mutex_) = 0;
  Bytes bodies_ GUARDED_BY(mutex_);
  std::map<std::string, Bytes> bodies_of_ GUARDED_BY(mutex_);  // by token's holder
  std::map<int, std::uint64_t> replies_ GUARDED_BY(mutex_);
};

}  // namespace juggler::http
