// The catalogue: what it reads, what it refuses and how it says so.

#include "files/catalogue.h"

#include <gtest/gtest.h>

#include "inference_tiny_model.h"

namespace juggler {
namespace {

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  const Result<Catalogue> catalogue = Catalogue::parse(text, "/models");
  return catalogue ? "no error" : catalogue.error().message;
}

TEST(Catalogue, WholeEntry_IsRead) {
  const Result<Catalogue> catalogue = Catalogue::parse(test::tiny_catalogue(), "/models");
  ASSERT_TRUE(catalogue.has_value()) << catalogue.error().message;
  const CatalogueVariant* entry = catalogue->find("tiny-fp32");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->variant.model, "colours");
  EXPECT_EQ(entry->variant.accuracy, MilliPercent{90'500});
  EXPECT_EQ(entry->variant.accuracy_evidence, Evidence::Estimated);
  EXPECT_EQ(entry->variant.weights, Weights::Pretrained);
  EXPECT_EQ(entry->file, "/models/tiny.onnx");
  EXPECT_EQ(entry->input.width, 8);
  EXPECT_EQ(entry->output.kind, OutputKind::Logits);
  EXPECT_EQ(catalogue->find("other"), nullptr);
}

TEST(Catalogue, BrokenToml_NamesFileAndLine) {
  EXPECT_EQ(error_of("format = 1\nx = = 2\n").substr(0, 17), "catalogue.toml:2:");
}

TEST(Catalogue, CharactersBeyondAscii_AreKeptInStringsAndRefusedElsewhere) {
  EXPECT_EQ(error_of("format = 1 # \u00e9\nx\u00e9 = 2\n").substr(0, 23),
            "catalogue.toml:2: only ");
  const Result<Catalogue> catalogue = Catalogue::parse(
      with(test::tiny_catalogue(), "made for tests", "\\\\f\u00fcr \\\"T\u20acsts\U0001f600"),
      "/models");
  ASSERT_TRUE(catalogue.has_value()) << catalogue.error().message;
  EXPECT_EQ(catalogue->variants()[0].accuracy_source, "\\f\u00fcr \"T\u20acsts\U0001f600");
  EXPECT_EQ(error_of("x = \"\\\u00e9\"").substr(0, 23), "catalogue.toml:1: only ");
  EXPECT_EQ(error_of("x = \"\xff\"").substr(0, 23), "catalogue.toml:1: only ");
}

TEST(Catalogue, MissingField_NamesLineVariantAndField) {
  const std::string error = error_of(with(test::tiny_catalogue(), "model = \"colours\"\n", ""));
  EXPECT_EQ(error, "catalogue.toml:2: tiny-fp32: 'model': is missing");
}

TEST(Catalogue, ImpossibleValues_AreRefused) {
  const std::string good = test::tiny_catalogue();
  const std::pair<const char*, const char*> changes[] = {
      {"format = 1", "format = 2"},
      {"top1_percent = 90.5", "top1_percent = 101"},
      {"top1_percent = 90.5", "top1_percent = nan"},
      {"top1_kind = \"estimated\"", "top1_kind = \"guessed\""},
      {"weights = \"pretrained\"", "weights = \"trained\""},
      {"precision = \"fp32\"", "precision = \"fp31\""},
      {"file = \"tiny.onnx\"", "file = \"../tiny.onnx\""},
      {"width = 8", "width = 0"},
      {"width = 8", "width = 9"},
      {"std = [1.0, 1.0, 1.0]", "std = [1.0, 1.0, 0.0]"},
      {"mean = [0.0, 0.0, 0.0]", "mean = [0.0, 0.0]"},
      {"kind = \"logits\"", "kind = \"scores\""},
      {"macs_m = 0.1", "macs_m = -1"},
      {"[variant.output]", "[variant.elsewhere]"},
      {"[[variant]]", "[variant]"},
      {"size_bytes = ", "size_bytes = -"},
      {"sha256 = \"", "sha256 = \"X"},
  };
  for (const auto& [from, to] : changes) {
    EXPECT_EQ(error_of(with(good, from, to)).substr(0, 15), "catalogue.toml:") << to;
  }
}

TEST(Catalogue, SameIdTwice_IsRefused) {
  const std::string good = test::tiny_catalogue();
  const std::string again = good.substr(good.find("[[variant]]"));
  EXPECT_NE(error_of(good + again).find("is there twice"), std::string::npos);
}

TEST(Catalogue, UnknownKey_IsIgnored) {
  EXPECT_EQ(error_of(with(test::tiny_catalogue(), "format = 1", "format = 1\nnewer = true")),
            "no error");
}

TEST(Catalogue, NoFile_SaysWhichIsMissing) {
  const test::TempFolder home;
  const Result<Catalogue> catalogue = Catalogue::load(home.path());
  ASSERT_FALSE(catalogue.has_value());
  EXPECT_EQ(catalogue.error().code, ErrorCode::NotFound);
  EXPECT_NE(catalogue.error().message.find("models/catalogue.toml"), std::string::npos);
}

TEST(Catalogue, HalfPrecisionWithoutEntry_IsTheFullOneDerived) {
  const std::string text = test::tiny_catalogue();
  const Result<Catalogue> catalogue = Catalogue::parse(
      with(text, "top1_kind = \"estimated\"", "top1_kind = \"published\""), "/models");
  ASSERT_TRUE(catalogue.has_value());
  const std::optional<Variant> half = catalogue->describe("tiny-fp16");
  ASSERT_TRUE(half.has_value());
  EXPECT_EQ(half->precision, "fp16");
  EXPECT_EQ(half->accuracy, MilliPercent{90'500});
  EXPECT_EQ(half->accuracy_evidence, Evidence::Derived);
  EXPECT_TRUE(half->sha256.empty());
  EXPECT_FALSE(catalogue->describe("tiny-int8").has_value());
  EXPECT_FALSE(catalogue->describe("other-fp16").has_value());
}

TEST(Catalogue, ModelFile_IsVerified) {
  const test::TempFolder home;
  test::make_tiny_home(home.path());
  const Result<Catalogue> catalogue = Catalogue::load(home.path());
  ASSERT_TRUE(catalogue.has_value()) << catalogue.error().message;
  EXPECT_TRUE(verify_model_file(catalogue->variants().front()).has_value());
}

TEST(Catalogue, ChangedModelFile_IsRefused) {
  const test::TempFolder home;
  test::make_tiny_home(home.path());
  const Result<Catalogue> catalogue = Catalogue::load(home.path());
  std::string changed = test::tiny_network();
  changed.back() = static_cast<char>(changed.back() ^ 1);
  test::write_file(home.path() / "models/tiny.onnx", changed);
  const Result<void> result = verify_model_file(catalogue->variants().front());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::Corrupt);
  EXPECT_NE(result.error().message.find("SHA-256"), std::string::npos);
}

TEST(Catalogue, ShorterModelFile_IsRefusedWithItsSize) {
  const test::TempFolder home;
  test::make_tiny_home(home.path());
  const Result<Catalogue> catalogue = Catalogue::load(home.path());
  test::write_file(home.path() / "models/tiny.onnx", "short");
  const Result<void> result = verify_model_file(catalogue->variants().front());
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("has 5 bytes"), std::string::npos);
}

}  // namespace
}  // namespace juggler
