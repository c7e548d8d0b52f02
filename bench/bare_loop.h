#pragma once
// A bare ONNX Runtime loop, and the photographs that it and Juggler are given: what the benchmarks
// of inference compare with.

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <onnxruntime_cxx_api.h>

#include "inference/image.h"
#include "inference/onnx_runtime.h"
#include "inference/preprocess.h"
#include "runtime/engine.h"

namespace bench {

using juggler::CatalogueVariant;
using juggler::EngineInput;

struct Photo {
  std::string name;
  EngineInput input;
};

// User and system time of this process.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

inline std::vector<Photo> read_photos(const std::filesystem::path& folder) {
  std::vector<Photo> photos;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(file), {});
    const auto header = juggler::read_header(bytes);
    if (!header) {
      continue;
    }
    Photo photo;
    photo.name = entry.path().filename().string();
    photo.input.payload.kind = header->kind;
    photo.input.payload.width = header->width;
    photo.input.payload.height = header->height;
    photo.input.bytes = juggler::wire::make_body(std::move(bytes));
    photo.input.top_k = 5;
    photos.push_back(std::move(photo));
  }
  std::sort(photos.begin(), photos.end(),
            [](const Photo& a, const Photo& b) { return a.name < b.name; });
  return photos;
}

// What somebody would write who had one network and no scheduler: decode, preprocess, run, best.
class BareLoop {
 public:
  BareLoop(const CatalogueVariant& variant, int threads)
      : variant_(variant), session_(nullptr), tensor_(variant.input.floats()) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(threads);
    options.AddConfigEntry("session.intra_op.allow_spinning", "0");
    session_ = Ort::Session(env(), variant.file.c_str(), options);
  }

  int best(const Photo& photo) {
    if (!juggler::decode_picture(*photo.input.bytes, variant_.input.resize_shorter_px, picture_)) {
      return -1;
    }
    preprocessor_.run({picture_.pixels().data(), picture_.width(), picture_.height()},
                      variant_.input, tensor_);
    const std::int64_t shape[] = {1, 3, variant_.input.height, variant_.input.width};
    const char* inputs[] = {variant_.input.name.c_str()};
    const char* outputs[] = {variant_.output.name.c_str()};
    Ort::Value value =
        Ort::Value::CreateTensor<float>(memory_, tensor_.data(), tensor_.size(), shape, 4);
    const auto scores = session_.Run(Ort::RunOptions{nullptr}, inputs, &value, 1, outputs, 1);
    const float* first = scores[0].GetTensorData<float>();
    const auto count = scores[0].GetTensorTypeAndShapeInfo().GetElementCount();
    return static_cast<int>(std::max_element(first, first + count) - first);
  }

 private:
  static Ort::Env& env() {
    static Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "bare");
    return env;
  }

  const CatalogueVariant& variant_;
  Ort::Session session_;
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  juggler::Picture picture_;
  juggler::Preprocessor preprocessor_;
  std::vector<float> tensor_;
};

}  // namespace bench
