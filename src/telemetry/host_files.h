#pragma once
// The port to the host's files: every probe reads through it. The host's root may be mounted
// elsewhere, as in a container; tests give a tree of their own.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/absence.h"

namespace juggler {

inline constexpr std::size_t kHostFileMax = std::size_t{64} * 1024;

// Paths are relative to the host's root, without a slash before: "proc/stat".
//
// thread  one at a time
class HostFiles {
 public:
  virtual ~HostFiles() = default;

  // The file's text, at most kHostFileMax bytes of it, less NULs and line breaks at its end. An
  // empty file has no data.
  virtual Absence read(const std::string& path, std::string& text) = 0;
  // The names in a folder, sorted; none where it cannot be read.
  virtual std::vector<std::string> list(const std::string& folder) = 0;
  virtual bool exists(const std::string& path) = 0;

  Fact<std::string> text(const std::string& path);
};

// Real files. Those of /proc and /sys stay open, since the kernel makes them anew at each read from
// their start, and reading is all that a sample then costs; others may be replaced, and are opened.
class DiskFiles final : public HostFiles {
 public:
  explicit DiskFiles(std::string root = "/");
  ~DiskFiles() override;
  DiskFiles(const DiskFiles&) = delete;
  DiskFiles& operator=(const DiskFiles&) = delete;

  Absence read(const std::string& path, std::string& text) override;
  std::vector<std::string> list(const std::string& folder) override;
  bool exists(const std::string& path) override;

 private:
  static constexpr std::size_t kKeptMax = 256;

  std::string place_of(const std::string& path) const;
  int open_file(const std::string& path) const;

  std::string root_;  // without a slash at its end; empty: the real one
  std::map<std::string, int, std::less<>> kept_;
};

// "folder/name".
std::string path_in(const std::string& folder, std::string_view name);

// The path with its links followed as if `root` were `/`: an absolute link does not lead out of it.
// Empty where there are too many.
std::string resolve_below(const std::string& root, std::string_view path);

}  // namespace juggler
