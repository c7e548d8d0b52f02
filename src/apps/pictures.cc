#include "apps/pictures.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/places.h"
#include "apps/quantities.h"
#include "inference/shrink_picture.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 100'000;
constexpr Bytes kFileMax = mebibytes(64);  // of a picture that is reduced

Error too_large(std::int64_t bytes, Bytes most) {
  return fail(ErrorCode::TooLarge,
              fmt::format("{} of at most {}: scale it down first (the networks look at about 260 x "
                          "260 pixels){}",
                          show(Bytes{bytes}), show(most),
                          most == kPayloadMax ? ", for instance by --shrink 320" : ""));
}

bool has_picture_ending(const fs::path& file) {
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

Result<void> list_folder(const fs::path& folder, std::vector<fs::path>& files) {
  std::error_code failed;
  const std::size_t before = files.size();
  auto entry = fs::recursive_directory_iterator(folder, failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    std::error_code unknown;
    if (entry->is_regular_file(unknown) && has_picture_ending(entry->path())) {
      files.push_back(entry->path());
    }
    if (files.size() > kFilesMax) {
      return fail(ErrorCode::TooLarge,
                  fmt::format("more than {} files; submit folder by folder", kFilesMax));
    }
  }
  if (failed) {
    return fail(ErrorCode::NotFound,
                fmt::format("cannot read the folder {}: {}", folder.string(), failed.message()));
  }
  if (files.size() == before) {
    return fail(ErrorCode::NotFound,
                fmt::format("no .jpg, .jpeg or .png in the folder {}", folder.string()));
  }
  return {};
}

}  // namespace

PayloadKind sniff(std::string_view bytes) {
  if (bytes.substr(0, 3) == "\xff\xd8\xff") {
    return PayloadKind::Jpeg;
  }
  return bytes.substr(0, 8) == "\x89PNG\r\n\x1a\n" ? PayloadKind::Png : PayloadKind::Opaque;
}

Result<std::vector<fs::path>> list_pictures(const std::vector<fs::path>& places) {
  std::vector<fs::path> files;
  for (const fs::path& place : places) {
    std::error_code failed;
    if (fs::is_directory(place, failed)) {
      const std::size_t first = files.size();
      if (Result<void> listed = list_folder(place, files); !listed) {
        return listed.error();
      }
      std::sort(files.begin() + static_cast<std::ptrdiff_t>(first), files.end());
    } else if (fs::exists(place, failed)) {
      files.push_back(place);
    } else {
      return fail(ErrorCode::NotFound, "there is no file or folder " + place.string());
    }
  }
  return files;
}

Result<PictureFile> load_picture(const fs::path& path, int shrink_px) {
  const Bytes most = shrink_px > 0 ? kFileMax : kPayloadMax;
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(path, failed);
  if (!failed && size > static_cast<std::uintmax_t>(most.count)) {
    return too_large(static_cast<std::int64_t>(size), most);
  }
  Result<std::string> bytes = read_file(path, static_cast<std::uintmax_t>(most.count));
  if (!bytes) {
    return bytes.error();
  }
  if (bytes->empty()) {
    return fail(ErrorCode::Corrupt, "the file is empty");
  }
  PictureFile file;
  file.kind = sniff(*bytes);
  if (file.kind == PayloadKind::Opaque) {
    return fail(ErrorCode::Unsupported,
                "neither a JPEG nor a PNG, by its first bytes: convert it first");
  }
  if (shrink_px > 0) {
    Result<std::string> smaller = shrink_picture(*bytes, shrink_px);
    if (!smaller) {
      return smaller.error();
    }
    if (!smaller->empty() && smaller->size() < bytes->size()) {
      file.kind = PayloadKind::Jpeg;
      bytes = std::move(smaller);
    }
  }
  if (bytes->size() > static_cast<std::size_t>(kPayloadMax.count)) {
    return too_large(static_cast<std::int64_t>(bytes->size()), kPayloadMax);
  }
  file.bytes = wire::make_body(std::move(*bytes));
  return file;
}

}  // namespace juggler
