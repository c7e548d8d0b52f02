#pragma once
// Files and folders on the command line, and what is in a file by its first bytes.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/task.h"
#include "wire/envelope.h"

namespace juggler {

// By magic bytes, never by the name. Opaque: neither JPEG nor PNG.
PayloadKind sniff(std::string_view bytes);

// The files of `places`, folders with everything in them that has a picture's ending, sorted.
//
// errors  a place that does not exist; a folder without a picture
Result<std::vector<std::filesystem::path>> list_pictures(
    const std::vector<std::filesystem::path>& places);

struct PictureFile {
  PayloadKind kind = PayloadKind::Opaque;
  wire::Body bytes;
};

// Reads a file that can be submitted as a picture.
//
// shrink_px  the shorter side to which a larger picture is reduced (inference/shrink_picture.h);
//            0: the file's own bytes
// errors     in words for the user: not there, empty, more than 8 MiB (of a file that is to be
//            reduced: 64 MiB), neither JPEG nor PNG, not to be decoded
Result<PictureFile> load_picture(const std::filesystem::path& path, int shrink_px = 0);

}  // namespace juggler
