#include "telemetry/host_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <optional>

namespace juggler {
namespace {

constexpr int kLinksMax = 40;  // as the kernel's
constexpr std::size_t kOneLineMax = 2048;

struct FolderClose {
  void operator()(DIR* folder) const { closedir(folder); }
};

bool made_at_read(std::string_view path) {
  return path.substr(0, 5) == "proc/" || path.substr(0, 4) == "sys/";
}

// From the file's start to its end. The error number, 0 for none.
int read_whole(int fd, std::string& text) {
  text.resize(kHostFileMax);
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = pread(fd, text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      const int error_number = errno;
      text.clear();
      return error_number;
    }
    size += static_cast<std::size_t>(got);
    // A short one comes whole; longer tables come in pieces that end with a line.
    if (got == 0 || (size < kOneLineMax && text[size - 1] == '\n')) {
      break;
    }
  }
  text.resize(size);
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) {
    text.pop_back();
  }
  return 0;
}

std::optional<std::string> link_at(const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  if (size <= 0) {
    return std::nullopt;
  }
  target.resize(static_cast<std::size_t>(size));
  return target;
}

// The parts of a path, the last one first.
void push_parts(std::string_view path, std::vector<std::string>& parts) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view part = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!part.empty() && part != ".") {
      parts.emplace_back(part);
    }
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
  }
}

}  // namespace

std::string path_in(const std::string& folder, std::string_view name) {
  std::string path;
  path.reserve(folder.size() + 1 + name.size());
  path.append(folder).append(1, '/').append(name);
  return path;
}

std::string resolve_below(const std::string& root, std::string_view path) {
  std::vector<std::string> left;
  push_parts(path, left);
  std::string below;  // what is resolved already: "/sys/class"
  int links = 0;
  while (!left.empty()) {
    const std::string part = std::move(left.back());
    left.pop_back();
    if (part == "..") {
      below.resize(below.rfind('/') == std::string::npos ? 0 : below.rfind('/'));
      continue;
    }
    const std::string next = path_in(below, part);
    const std::optional<std::string> target = link_at(root + next);
    if (!target.has_value()) {
      below = next;
      continue;
    }
    if (++links > kLinksMax) {
      return {};
    }
    if (target->front() == '/') {
      below.clear();
    }
    push_parts(*target, left);
  }
  return root + below;
}

Fact<std::string> HostFiles::text(const std::string& path) {
  std::string content;
  const Absence why = read(path, content);
  return why == Absence::None ? Fact<std::string>::of(std::move(content), path)
                              : Fact<std::string>::absent(why, path);
}

DiskFiles::DiskFiles(std::string root) : root_(std::move(root)) {
  while (!root_.empty() && root_.back() == '/') {
    root_.pop_back();
  }
}

DiskFiles::~DiskFiles() {
  for (const auto& [path, fd] : kept_) {
    close(fd);
  }
}

std::string DiskFiles::place_of(const std::string& path) const {
  return root_.empty() ? "/" + path : resolve_below(root_, path);
}

// Never blocks on a pipe that somebody put there.
int DiskFiles::open_file(const std::string& path) const {
  return open(place_of(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

Absence DiskFiles::read(const std::string& path, std::string& text) {
  text.clear();
  const auto kept = kept_.find(path);
  if (kept != kept_.end()) {
    if (read_whole(kept->second, text) == 0) {
      return text.empty() ? Absence::NoData : Absence::None;
    }
    close(kept->second);  // its device is gone, or back under the same name
    kept_.erase(kept);
  }
  const int fd = open_file(path);
  if (fd < 0) {
    return absence_of(errno);
  }
  const int error_number = read_whole(fd, text);
  if (error_number == 0 && made_at_read(path) && kept_.size() < kKeptMax) {
    kept_.emplace(path, fd);
  } else {
    close(fd);
  }
  if (error_number != 0) {
    return absence_of(error_number);
  }
  return text.empty() ? Absence::NoData : Absence::None;
}

std::vector<std::string> DiskFiles::list(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, FolderClose> open(opendir(place_of(folder).c_str()));
  if (open == nullptr) {
    return names;
  }
  while (const dirent* entry = readdir(open.get())) {  // NOLINT(concurrency-mt-unsafe): own DIR
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool DiskFiles::exists(const std::string& path) {
  return access(place_of(path).c_str(), F_OK) == 0;
}

}  // namespace juggler
