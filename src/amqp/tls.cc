// TLS under a Stream: OpenSSL, the peer verified against the system's authorities unless told
// otherwise.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include "amqp/monotonic.h"
#include "amqp/stream.h"
#include "amqp/tls_errors.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

struct ContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct SessionDeleter {
  void operator()(SSL* session) const { SSL_free(session); }
};
using Context = std::unique_ptr<SSL_CTX, ContextDeleter>;
using TlsSession = std::unique_ptr<SSL, SessionDeleter>;

// OpenSSL writes with write(2), which raises SIGPIPE on a closed socket. Only the default action,
// which ends the process, is replaced.
void ignore_sigpipe() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction now {};
    if (sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) {
      std::signal(SIGPIPE, SIG_IGN);
    }
  });
}

// Whom we talk to, for the one call that OpenSSL makes during the handshake.
struct Peer {
  explicit Peer(const BrokerUrl& address) : url(address) {}
  BrokerUrl url;
  std::unique_ptr<X509, decltype(&X509_free)> certificate{nullptr, X509_free};
};

// A pinned certificate is the one and no other; then neither authorities nor names nor dates, which
// a board without a clock cannot judge, add anything.
int verify(X509_STORE_CTX* context, void* argument) {
  Peer& peer = *static_cast<Peer*>(argument);
  X509* certificate = X509_STORE_CTX_get0_cert(context);
  if (certificate != nullptr && X509_up_ref(certificate) == 1) {
    peer.certificate.reset(certificate);
  }
  if (peer.url.fingerprint.empty()) {
    return X509_verify_cert(context);
  }
  const bool same = digest_of(certificate) == peer.url.fingerprint;
  X509_STORE_CTX_set_error(context, same ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
  return same ? 1 : 0;
}

class TlsStream final : public Stream {
 public:
  TlsStream(int fd, std::unique_ptr<Peer> peer, Context context, TlsSession session)
      : Stream(fd),
        peer_(std::move(peer)),
        context_(std::move(context)),
        session_(std::move(session)) {}

  Result<std::size_t> read(std::span<char> into) override {
    ERR_clear_error();
    std::size_t count = 0;
    const int code = SSL_read_ex(session_.get(), into.data(), into.size(), &count);
    return code == 1 ? Result<std::size_t>(count) : stalled(code, "receive");
  }

  // One piece at a time: OpenSSL has no gathering write, and a record holds 16 KiB anyway.
  Result<std::size_t> write(std::span<const iovec> pieces) override {
    std::size_t total = 0;
    for (const iovec& piece : pieces) {
      ERR_clear_error();
      std::size_t count = 0;
      const int code = SSL_write_ex(session_.get(), piece.iov_base, piece.iov_len, &count);
      if (code != 1) {
        auto waiting = stalled(code, "send");
        return waiting ? Result<std::size_t>(total) : waiting;
      }
      total += count;
      if (count < piece.iov_len) {
        break;
      }
    }
    return total;
  }

  bool buffered() const override { return SSL_pending(session_.get()) > 0; }
  bool wants_write() const override { return wants_write_; }

  Result<void> shake_hands(Time deadline) {
    for (;;) {
      ERR_clear_error();
      const int code = SSL_connect(session_.get());
      if (code == 1) {
        return {};
      }
      const int reason = SSL_get_error(session_.get(), code);
      if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) {
        return handshake_error(session_.get(), peer_->certificate.get(), peer_->url);
      }
      const bool write = reason == SSL_ERROR_WANT_WRITE;
      if (!wait_ready(fd(), {.read = !write, .write = write}, deadline)) {
        return fail(ErrorCode::Unavailable, "TLS: the handshake took too long");
      }
    }
  }

 private:
  // 0 where the operation only has to wait.
  Result<std::size_t> stalled(int code, std::string_view what) {
    const int reason = SSL_get_error(session_.get(), code);
    wants_write_ = reason == SSL_ERROR_WANT_WRITE;
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
      return std::size_t{0};
    }
    if (reason == SSL_ERROR_ZERO_RETURN) {
      return fail(ErrorCode::Unavailable, "the broker's side closed the connection");
    }
    return reason == SSL_ERROR_SYSCALL ? last_words(what, errno) : tls_error(what);
  }

  // The connection is gone under a read or write. Why, the other side may have said before it
  // closed: in TLS 1.3 a client's certificate is judged after the client's first write.
  Error last_words(std::string_view what, int system_error) {
    ERR_clear_error();
    char unread = 0;
    std::size_t count = 0;
    const int code = SSL_read_ex(session_.get(), &unread, 1, &count);
    if (code != 1 && SSL_get_error(session_.get(), code) == SSL_ERROR_SSL) {
      return tls_error(what);
    }
    ERR_clear_error();
    return fail(ErrorCode::Unavailable,
                fmt::format("TLS: {}: {}", what,
                            system_error != 0 ? std::strerror(system_error) : "connection closed"));
  }

  std::unique_ptr<Peer> peer_;  // outlives the session, which points to it
  Context context_;
  TlsSession session_;
  bool wants_write_ = false;
};

Result<Context> make_context(Peer& peer) {
  const BrokerUrl& url = peer.url;
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) {
    return tls_error("no context");
  }
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
  // A pin is judged whatever else is said: without SSL_VERIFY_PEER the verdict would not count.
  const bool judged = url.verify_peer || !url.fingerprint.empty();
  SSL_CTX_set_verify(context.get(), judged ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_cert_verify_callback(context.get(), verify, &peer);
  const bool trusted =
      url.cacertfile.empty()
          ? SSL_CTX_set_default_verify_paths(context.get()) == 1
          : SSL_CTX_load_verify_locations(context.get(), url.cacertfile.c_str(), nullptr) == 1;
  if (!trusted) {
    return tls_error(fmt::format("cannot read the authorities in '{}'", url.cacertfile));
  }
  if (!url.certfile.empty() &&
      (SSL_CTX_use_certificate_chain_file(context.get(), url.certfile.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(context.get(), url.keyfile.c_str(), SSL_FILETYPE_PEM) != 1)) {
    return tls_error(fmt::format("cannot use the certificate '{}' with the key '{}'", url.certfile,
                                 url.keyfile));
  }
  return context;
}

// Whom to expect: a name for the certificate and the server name indication, or an address.
bool expect_peer(SSL* session, const BrokerUrl& url) {
  const std::string& name = url.server_name.empty() ? url.host : url.server_name;
  X509_VERIFY_PARAM* parameters = SSL_get0_param(session);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1) {
    return true;
  }
  return SSL_set1_host(session, name.c_str()) == 1 &&
         SSL_set_tlsext_host_name(session, name.c_str()) == 1;
}

}  // namespace

Result<std::unique_ptr<Stream>> start_tls(int fd, const BrokerUrl& url, Time deadline) {
  ignore_sigpipe();
  auto peer = std::make_unique<Peer>(url);
  auto context = make_context(*peer);
  TlsSession session(context ? SSL_new(context->get()) : nullptr);
  if (!session || SSL_set_fd(session.get(), fd) != 1 || !expect_peer(session.get(), url)) {
    close(fd);
    return context ? tls_error("no session") : context.error();
  }
  auto stream =
      std::make_unique<TlsStream>(fd, std::move(peer), std::move(*context), std::move(session));
  if (auto shaken = stream->shake_hands(deadline); !shaken) {
    return shaken.error();
  }
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace juggler::amqp
