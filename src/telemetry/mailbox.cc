#include "telemetry/mailbox.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace juggler {
namespace {

// source  raspberrypi/utils vcgencmd/vcgencmd.c: the property message of one command.
constexpr std::uint32_t kGetGencmdResult = 0x0003'0080;
constexpr std::size_t kAnswerMax = 1024;
constexpr std::size_t kWords = 7 + kAnswerMax / 4;

class VcioMailbox final : public Mailbox {
 public:
  explicit VcioMailbox(std::string device) : device_(std::move(device)) {}
  ~VcioMailbox() override {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  VcioMailbox(const VcioMailbox&) = delete;
  VcioMailbox& operator=(const VcioMailbox&) = delete;

  Fact<std::string> ask(const std::string& command) override {
    if (fd_ < 0) {
      fd_ = open(device_.c_str(), O_RDWR | O_CLOEXEC);
    }
    if (fd_ < 0) {
      return Fact<std::string>::absent(absence_of(errno), device_);
    }
    // size, request, tag, room, length, return code, text, end of the tags.
    std::array<std::uint32_t, kWords> words{};
    words[0] = static_cast<std::uint32_t>(sizeof words);
    words[2] = kGetGencmdResult;
    words[3] = kAnswerMax;
    char* text = reinterpret_cast<char*>(&words[6]);
    command.copy(text, kAnswerMax - 1);
    const unsigned long property = _IOWR(100, 0, char*);
    if (ioctl(fd_, property, words.data()) < 0) {
      return Fact<std::string>::absent(absence_of(errno), device_);
    }
    if (words[5] != 0) {
      return Fact<std::string>::absent(Absence::Failed, device_ + ": " + command);
    }
    const std::size_t size = strnlen(text, kAnswerMax);
    return Fact<std::string>::of(std::string(text, size), device_ + ": " + command);
  }

 private:
  std::string device_;
  int fd_ = -1;
};

}  // namespace

std::unique_ptr<Mailbox> make_mailbox(const std::string& device) {
  return std::make_unique<VcioMailbox>(device);
}

}  // namespace juggler
