#include "support/broker_node.h"

#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "amqp/monotonic.h"
#include "amqp/node_files.h"
#include "amqp/topology.h"
#include "core/check.h"
#include "fmt/format.h"
#include "support/broker_certificate.h"

namespace juggler::test {
namespace {

std::string make_temporary(const std::string& parent) {
  std::string pattern = parent + "/juggler-test-XXXXXX";
  const char* made = mkdtemp(pattern.data());
  JUGGLER_CHECK(made != nullptr, "cannot make a temporary folder");
  return pattern;
}

// Queues that a test may have left behind.
std::vector<std::string> test_queues() {
  std::vector<std::string> names = {"juggler.test.work", "juggler.test.other", "juggler.queries"};
  for (const QueueSpec& queue : fleet_topology().queues) {
    names.push_back(queue.name);
  }
  for (const char* device : {kDevice, kOtherDevice}) {
    names.push_back(device_queue(device));
    names.push_back(device_control_queue(device));
  }
  return names;
}

class NodeEnvironment final : public ::testing::Environment {
 public:
  void SetUp() override { BrokerNode::get().start(); }
  void TearDown() override { BrokerNode::get().stop(); }
};

const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new NodeEnvironment);

}  // namespace

BrokerNode& BrokerNode::get() {
  static BrokerNode node;
  return node;
}

void BrokerNode::start() {
  dir_ = make_temporary(std::filesystem::temp_directory_path().string());
  // In memory where that exists: the tests are about behaviour, not about the disk.
  std::error_code error;
  mnesia_dir_ =
      std::filesystem::exists("/dev/shm", error) ? make_temporary("/dev/shm") : dir_ + "/mnesia";
  const auto port = amqp::free_port();
  JUGGLER_CHECK(port.has_value(), "no free port");
  tls_port_ = *port;
  write_certificate(dir_ + "/certificate.pem", dir_ + "/key.pem");
  restart();
}

void BrokerNode::restart() {
  admin_.reset();
  broker_.reset();
  amqp::PrivateBrokerOptions options;
  options.dir = dir_ + "/node";
  options.mnesia_dir = mnesia_dir_;
  options.devices = {kDevice, kOtherDevice};
  options.extra_configuration = fmt::format(
      "listeners.ssl.default = 127.0.0.1:{}\n"
      "ssl_options.cacertfile = {}/certificate.pem\n"
      "ssl_options.certfile = {}/certificate.pem\n"
      "ssl_options.keyfile = {}/key.pem\n"
      "ssl_options.verify = verify_none\n"
      "ssl_options.fail_if_no_peer_cert = false\n",
      tls_port_, dir_, dir_, dir_);
  auto started = amqp::PrivateBroker::start(options);
  if (!started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
  }
  JUGGLER_CHECK(started.has_value(), "the tests need a broker");
  broker_.emplace(std::move(*started));
}

void BrokerNode::stop() {
  admin_.reset();
  broker_.reset();
  std::error_code error;
  std::filesystem::remove_all(dir_, error);
  std::filesystem::remove_all(mnesia_dir_, error);
}

amqp::BrokerUrl BrokerNode::url(const std::string& user) const {
  const std::string text = user == "controller"  ? broker_->url_for_controller()
                           : user == "submitter" ? broker_->url_for_submitter()
                                                 : broker_->url_for_device(user);
  const auto url = amqp::BrokerUrl::parse(text);
  JUGGLER_CHECK(url.has_value(), "the broker's own address parses");
  return *url;
}

amqp::BrokerUrl BrokerNode::tls_url(const std::string& user) const {
  amqp::BrokerUrl address = url(user);
  address.tls = true;
  address.port = tls_port_;
  address.cacertfile = dir_ + "/certificate.pem";
  return address;
}

std::unique_ptr<Transport> BrokerNode::connect(SessionPlan plan) {
  amqp::BrokerUrl broker = url(plan.reply_queue ? "submitter" : "controller");
  return amqp::make_transport({std::move(plan), std::move(broker)});
}

amqp::Connection& BrokerNode::admin() {
  // Nobody polls it between uses: soon the broker closes it for want of heartbeats.
  const Time now = amqp::monotonic_now();
  if (now - admin_used_ > seconds(1)) {
    admin_.reset();
  }
  admin_used_ = now;
  if (admin_ == nullptr) {
    auto opened = amqp::Connection::open(url("controller"), "test admin");
    JUGGLER_CHECK(opened.has_value() && (*opened)->open_channel(1), "no admin connection");
    admin_ = std::move(*opened);
  }
  return *admin_;
}

void BrokerNode::declare(const Topology& topology) {
  const auto declared = amqp::declare(admin(), 1, topology);
  JUGGLER_CHECK(declared.has_value(), "a test's topology is declared");
}

std::int64_t BrokerNode::ready(const std::string& queue) {
  auto found = amqp::inspect_queue(admin(), 1, queue);
  if (!found) {
    admin_.reset();
    return -1;
  }
  return found->messages;
}

bool BrokerNode::control(const std::vector<std::string>& arguments,
                         const std::vector<Peer*>& alive) {
  auto done =
      std::async(std::launch::async, [&] { return broker().control(arguments).has_value(); });
  while (done.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
    for (Peer* peer : alive) {
      peer->poll();
    }
  }
  return done.get();
}

void BrokerNode::cut_all() {
  // The last line of a broken wire: the sockets end, and no AMQP is spoken.
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
        address.ss_family == AF_INET) {
      shutdown(fd, SHUT_RDWR);
    }
  }
  admin_.reset();
}

void BrokerNode::reset() {
  for (const std::string& name : test_queues()) {
    amqp_queue_delete_t remove{};
    remove.queue = amqp::to_bytes(name);
    const auto removed =
        admin().call(1, AMQP_QUEUE_DELETE_METHOD, remove, AMQP_QUEUE_DELETE_OK_METHOD);
    if (!removed) {
      admin_.reset();
    }
  }
}

}  // namespace juggler::test
