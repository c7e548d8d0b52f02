#include "support/host_tree.h"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>

namespace juggler::test {
namespace {

std::string unescaped(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain += text[i];
      continue;
    }
    const char c = text[++i];
    plain += c == 'n' ? '\n' : c == '0' ? '\0' : c == 't' ? '\t' : c;
  }
  return plain;
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

int error_named(const std::string& name) {
  const std::map<std::string, int> errors{
      {"EAGAIN", EAGAIN}, {"EACCES", EACCES}, {"ENODATA", ENODATA}, {"EIO", EIO}};
  const auto at = errors.find(name);
  if (at == errors.end()) {
    throw std::runtime_error("a tree names the unknown error " + name);
  }
  return at->second;
}

}  // namespace

HostTree HostTree::fixture(const std::string& name) {
  const std::filesystem::path file =
      std::filesystem::path(__FILE__).parent_path().parent_path() / "fixtures" / (name + ".tree");
  std::ifstream stream(file);
  if (!stream) {
    throw std::runtime_error("cannot read " + file.string());
  }
  return parse({std::istreambuf_iterator<char>(stream), {}});
}

HostTree HostTree::parse(const std::string& text) {
  HostTree tree;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (trimmed(line).empty() || line.front() == '#') {
      continue;
    }
    const std::size_t space = line.find(' ');
    const std::string path = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : trimmed(line.substr(space));
    Entry entry;
    if (rest.substr(0, 3) == "-> ") {
      entry.target = trimmed(rest.substr(3));
    } else if (rest.substr(0, 2) == "! ") {
      entry.error_number = error_named(trimmed(rest.substr(2)));
    } else if (rest.substr(0, 1) == "=") {
      entry.text = unescaped(trimmed(rest.substr(1)));
    } else {
      throw std::runtime_error("no line of a tree: " + line);
    }
    tree.entries_[path] = entry;
  }
  return tree;
}

// Follows links of each part of the path; the tree is `/`.
std::string HostTree::resolve(const std::string& path) const {
  std::string done;
  std::string left = path;
  for (int steps = 0; !left.empty() && steps < 200; ++steps) {
    const std::size_t slash = left.find('/');
    const std::string part = left.substr(0, slash);
    left = slash == std::string::npos ? "" : left.substr(slash + 1);
    if (part == "..") {
      done = done.find('/') == std::string::npos ? "" : done.substr(0, done.rfind('/'));
      continue;
    }
    const std::string next = done.empty() ? part : done + "/" + part;
    const auto at = entries_.find(next);
    if (at == entries_.end() || at->second.target.empty()) {
      done = next;
      continue;
    }
    std::string target = at->second.target;
    if (target.front() == '/') {
      done.clear();
      target.erase(0, 1);
    }
    left = left.empty() ? target : target + "/" + left;
  }
  return done;
}

Absence HostTree::read(const std::string& path, std::string& text) {
  text.clear();
  const auto at = entries_.find(resolve(path));
  if (at == entries_.end()) {
    return Absence::Missing;
  }
  if (at->second.error_number != 0) {
    return absence_of(at->second.error_number);
  }
  text = at->second.text.substr(0, kHostFileMax);
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) {
    text.pop_back();
  }
  return text.empty() ? Absence::NoData : Absence::None;
}

std::vector<std::string> HostTree::list(const std::string& folder) {
  const std::string below = resolve(folder) + "/";
  std::set<std::string> names;
  for (auto at = entries_.lower_bound(below);
       at != entries_.end() && at->first.substr(0, below.size()) == below; ++at) {
    names.insert(at->first.substr(below.size(), at->first.find('/', below.size()) - below.size()));
  }
  return {names.begin(), names.end()};
}

bool HostTree::exists(const std::string& path) {
  const std::string place = resolve(path);
  return entries_.contains(place) || !list(path).empty();
}

void HostTree::set(const std::string& path, std::string text) {
  entries_[resolve(path)] = {std::move(text), 0, {}};
}

void HostTree::fail(const std::string& path, int error_number) {
  entries_[resolve(path)] = {{}, error_number, {}};
}

void HostTree::remove(const std::string& path) {
  const std::string place = resolve(path);
  entries_.erase(path);  // the link itself
  entries_.erase(place);
  std::erase_if(entries_,
                [&](const auto& entry) { return entry.first.rfind(place + "/", 0) == 0; });
}

void HostTree::unpack(const std::filesystem::path& folder) const {
  for (const auto& [path, entry] : entries_) {
    const std::filesystem::path file = folder / path;
    std::filesystem::create_directories(file.parent_path());
    if (!entry.target.empty()) {
      std::filesystem::create_symlink(entry.target, file);
    } else if (entry.error_number == 0 || entry.error_number == EAGAIN ||
               entry.error_number == ENODATA) {
      std::ofstream(file, std::ios::binary) << entry.text;
    }
  }
}

std::vector<std::string> HostTree::files() const {
  std::vector<std::string> paths;
  for (const auto& [path, entry] : entries_) {
    if (entry.target.empty()) {
      paths.push_back(path);
    }
  }
  return paths;
}

}  // namespace juggler::test
