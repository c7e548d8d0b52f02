#pragma once
// How a device asks the keeper which models it is to hold, and fetches them by their content, in
// chunks that each carry their hash.

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "wire/envelope.h"

namespace juggler::wire {

inline constexpr const char* kModelsExchange = "juggler.models";
inline constexpr const char* kFetchesQueue = "juggler.fetches";
inline constexpr std::size_t kChunkBytesMax = std::size_t{256} * 1024;
inline constexpr std::size_t kFetchProblemsMax = 64;

// A variant that could not be taken, and why.
struct FetchProblem {
  std::string variant;
  std::string problem;

  friend bool operator==(const FetchProblem&, const FetchProblem&) = default;
};

// What a device says of itself when it asks what it is to hold.
struct ModelsAsked {
  std::string device;
  std::string version;            // of the program, for people
  std::string holds;              // the SHA-256 of the catalogue that it has; empty: none
  std::vector<std::string> held;  // the ids of its variants
  std::vector<FetchProblem> problems;

  friend bool operator==(const ModelsAsked&, const ModelsAsked&) = default;
};

// A file that a device is to hold.
struct WantedFile {
  std::string sha256;
  Bytes size;

  friend bool operator==(const WantedFile&, const WantedFile&) = default;
};

// A catalogue whose files are named by their SHA-256, and the labels that it refers to.
struct ModelsWanted {
  std::string catalogue;  // TOML
  std::vector<WantedFile> labels;
  std::string problem;  // not empty: there is nothing, for this reason

  friend bool operator==(const ModelsWanted&, const ModelsWanted&) = default;
};

struct ChunkAsked {
  std::string device;  // empty: as its login is called
  std::string sha256;
  Bytes offset;

  friend bool operator==(const ChunkAsked&, const ChunkAsked&) = default;
};

struct Chunk {
  std::string sha256;  // of the file
  Bytes offset;
  Body bytes;
  std::string problem;  // not empty: there are no bytes, for this reason
};

// Device to keeper; `user` is its login, which the broker checks.
Envelope encode_models_asked(const ModelsAsked& asked, const std::string& user);
Envelope encode_chunk_asked(const ChunkAsked& asked, const std::string& user);
bool is_chunk_asked(const Envelope& envelope);
Result<ModelsAsked> decode_models_asked(const Envelope& envelope);
Result<ChunkAsked> decode_chunk_asked(const Envelope& envelope);

// Keeper to device, by its control queue: a device may declare nothing, and where an answer goes
// must be no word of the asker's. A lost one is asked for again.
Envelope encode_models_wanted(const ModelsWanted& wanted, const std::string& device);
// `sha256`: of the bytes
Envelope encode_chunk(const Chunk& chunk, const std::string& bytes_sha256,
                      const std::string& device);
// Whether it is one of the two.
bool is_models_answer(const Envelope& envelope);
bool is_chunk(const Envelope& envelope);
Result<ModelsWanted> decode_models_wanted(const Envelope& envelope);

struct ReadChunk {
  Chunk chunk;
  std::string bytes_sha256;  // what its bytes should have: the reader's to check
};
Result<ReadChunk> decode_chunk(const Envelope& envelope);

}  // namespace juggler::wire
