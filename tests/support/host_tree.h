#pragma once
// A host's files as a test writes them: one text per board in tests/fixtures/NAME.tree, read into
// memory, where a sensor can vanish, fail or move; or unpacked into a folder.
//
// Each line is one of
//   PATH = TEXT       with \n, \0, \t and \\ (blanks before and after TEXT do not count)
//   PATH -> TARGET    a symbolic link
//   PATH ! ERROR      reading fails: EAGAIN, EACCES, ENODATA, EIO
//   # a comment

#include <filesystem>
#include <map>
#include <string>

#include "telemetry/host_files.h"

namespace juggler::test {

class HostTree final : public HostFiles {
 public:
  HostTree() = default;
  // tests/fixtures/NAME.tree. Throws std::runtime_error on a line that is none of the above.
  static HostTree fixture(const std::string& name);
  static HostTree parse(const std::string& text);

  Absence read(const std::string& path, std::string& text) override;
  std::vector<std::string> list(const std::string& folder) override;
  bool exists(const std::string& path) override;

  void set(const std::string& path, std::string text);
  void fail(const std::string& path, int error_number);
  // With all that lies below.
  void remove(const std::string& path);
  // What fails by design is left out, but for sensors without data: they are empty files.
  void unpack(const std::filesystem::path& folder) const;
  // Every path that can be read.
  std::vector<std::string> files() const;

 private:
  struct Entry {
    std::string text;
    int error_number = 0;
    std::string target;  // of a link
  };
  std::string resolve(const std::string& path) const;

  std::map<std::string, Entry> entries_;
};

}  // namespace juggler::test
