// Models by content on a device: parts, what fits, what is no longer wanted; and the shelf that
// they come from.

#include "files/model_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "files/catalogue_text.h"
#include "files/fleet_file.h"
#include "files/model_shelf.h"
#include "files/sha256.h"
#include "inference_tiny_model.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

class ModelFolderTest : public ::testing::Test {
 protected:
  ModelFolderTest() : shelf_(shelf_home_.path()) {
    test::make_tiny_home(shelf_home_.path());
    EXPECT_TRUE(shelf_.refresh());
    offer_ = shelf_.offer({"tiny-fp32"});
  }

  ModelFolder folder(ModelLimits limits = {.memory = {}}) {
    limits.disk_kept_free = {};
    const ModelFolder made(home_.path(), limits);
    EXPECT_TRUE(made.prepare());
    return made;
  }
  std::string content(const ContentFile& file) const {
    const auto bytes = shelf_.read(file.sha256, {}, 1'000'000);
    EXPECT_TRUE(bytes);
    return bytes.value_or("");
  }
  void bring(const ModelFolder& folder, const FetchPlan& plan) const {
    for (const ContentFile& file : plan.missing) {
      ASSERT_TRUE(folder.append(file, {}, content(file)));
      ASSERT_TRUE(folder.complete(file));
    }
  }

  test::TempFolder shelf_home_;
  test::TempFolder home_;
  ModelShelf shelf_;
  ShelfOffer offer_;
};

TEST_F(ModelFolderTest, EmptyFolder_FetchesModelAndLabels) {
  const ModelFolder device = folder();
  const auto plan = device.plan(offer_.catalogue, offer_.labels);
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->missing.size(), 2U);
  EXPECT_TRUE(plan->left_out.empty());
  bring(device, *plan);
  ASSERT_TRUE(device.install(plan->catalogue));
  EXPECT_EQ(device.held(), std::vector<std::string>{"tiny-fp32"});
  EXPECT_EQ(device.holds(), sha256_hex(plan->catalogue));
  const auto catalogue = Catalogue::load(home_.path());
  ASSERT_TRUE(catalogue);
  EXPECT_TRUE(verify_model_file(*catalogue->find("tiny-fp32")));
  EXPECT_TRUE(device.plan(offer_.catalogue, offer_.labels)->missing.empty());
}

TEST_F(ModelFolderTest, Part_GoesOnWhereItStopped) {
  const ModelFolder device = folder();
  const auto plan = device.plan(offer_.catalogue, offer_.labels);
  const ContentFile file = plan->missing.back();
  const std::string bytes = content(file);
  ASSERT_TRUE(device.append(file, {}, bytes.substr(0, 10)));
  EXPECT_EQ(device.have(file), Bytes{10});
  EXPECT_FALSE(device.append(file, {}, bytes.substr(0, 10))) << "that place is written";
  ASSERT_TRUE(device.plan(offer_.catalogue, offer_.labels));
  EXPECT_EQ(device.have(file), Bytes{10}) << "planning again keeps the part";
  ASSERT_TRUE(device.append(file, {10}, bytes.substr(10)));
  EXPECT_TRUE(device.complete(file));
}

TEST_F(ModelFolderTest, AnotherContent_IsRefusedAndRemoved) {
  const ModelFolder device = folder();
  const ContentFile file = device.plan(offer_.catalogue, offer_.labels)->missing.back();
  std::string bytes = content(file);
  bytes[3] ^= 1;
  ASSERT_TRUE(device.append(file, {}, bytes));
  const Result<void> whole = device.complete(file);
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, ErrorCode::Corrupt);
  EXPECT_EQ(device.have(file), Bytes{0});
}

TEST_F(ModelFolderTest, FileThatWentBad_IsFetchedAgain) {
  const ModelFolder device = folder();
  const auto plan = device.plan(offer_.catalogue, offer_.labels);
  bring(device, *plan);
  const ContentFile& file = plan->missing.back();
  std::fstream(home_.path() / "models" / file.sha256, std::ios::in | std::ios::out) << 'x';
  const auto again = device.plan(offer_.catalogue, offer_.labels);
  ASSERT_EQ(again->missing.size(), 1U);
  EXPECT_EQ(again->missing[0], file);
}

TEST_F(ModelFolderTest, TooLittleRoom_LeavesOutAndSaysSo) {
  const ModelFolder device = folder({.bytes_max = {50}, .memory = {}});
  const auto plan = device.plan(offer_.catalogue, offer_.labels);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->left_out.size(), 1U);
  EXPECT_EQ(plan->left_out[0].variant, "tiny-fp32");
  EXPECT_NE(plan->left_out[0].problem.find("--models-max"), std::string::npos);
  EXPECT_TRUE(plan->missing.empty());
}

// Both lie there for a while: the disk must hold both.
TEST_F(ModelFolderTest, OldSetAndNewSet_MustBothFit) {
  const ModelFolder device = folder();
  std::error_code failed;
  const auto free = static_cast<std::int64_t>(fs::space(home_.path(), failed).available);
  ModelLimits limits{.memory = {}};
  limits.disk_kept_free = {free};  // nothing may be written any more
  const ModelFolder full(home_.path(), limits);
  const auto refused = full.plan(offer_.catalogue, offer_.labels);
  ASSERT_TRUE(refused);
  ASSERT_EQ(refused->left_out.size(), 1U);
  EXPECT_NE(refused->left_out[0].problem.find("beside what lies there"), std::string::npos);
  bring(device, *device.plan(offer_.catalogue, offer_.labels));
  const auto here = full.plan(offer_.catalogue, offer_.labels);
  ASSERT_TRUE(here);
  EXPECT_TRUE(here->left_out.empty()) << "what is here needs no room";
}

TEST_F(ModelFolderTest, LargerThanTheMemory_IsLeftOut) {
  const ModelFolder device = folder({.memory = {20}});
  const auto plan = device.plan(offer_.catalogue, offer_.labels);
  ASSERT_EQ(plan->left_out.size(), 1U);
  EXPECT_NE(plan->left_out[0].problem.find("memory"), std::string::npos);
}

TEST_F(ModelFolderTest, NoLongerWanted_IsRemoved) {
  const ModelFolder device = folder();
  const auto plan = device.plan(offer_.catalogue, offer_.labels);
  bring(device, *plan);
  ASSERT_TRUE(device.install(plan->catalogue));
  device.sweep();
  EXPECT_EQ(device.held().size(), 1U);
  const auto none = device.plan(shelf_.offer({}).catalogue, {});
  ASSERT_TRUE(none);
  ASSERT_TRUE(device.install(none->catalogue));
  device.sweep();
  for (const ContentFile& file : plan->missing) {
    EXPECT_FALSE(fs::exists(home_.path() / "models" / file.sha256));
  }
}

TEST_F(ModelFolderTest, NamesThatAreNoContent_AreRefused) {
  const ModelFolder device = folder();
  EXPECT_FALSE(device.plan(test::tiny_catalogue(), offer_.labels)) << "tiny.onnx is no hash";
  EXPECT_FALSE(device.plan(offer_.catalogue, {})) << "its labels are nowhere";
  EXPECT_FALSE(device.plan("format = 2", {}));
}

TEST_F(ModelFolderTest, ModelsOfAPerson_AreNotTouched) {
  EXPECT_EQ(ModelFolder::owner(home_.path()), ModelFolder::Owner::Nobody);
  EXPECT_EQ(ModelFolder::owner(shelf_home_.path()), ModelFolder::Owner::Person);
  (void)folder();
  EXPECT_EQ(ModelFolder::owner(home_.path()), ModelFolder::Owner::Fetched);
}

TEST_F(ModelFolderTest, Shelf_SeesWhatIsAddedAndReadsFromAnyPlace) {
  EXPECT_FALSE(*shelf_.refresh());
  const Catalogue catalogue = *Catalogue::load(shelf_home_.path());
  CatalogueVariant own = catalogue.variants()[0];
  own.variant.id = "own-fp32";
  test::write_file(shelf_home_.path() / "models/own.toml", catalogue_text({&own, 1}, "test"));
  EXPECT_TRUE(*shelf_.refresh());
  EXPECT_EQ(shelf_.variants().size(), 2U);
  const ContentFile& labels = offer_.labels[0];
  EXPECT_EQ(*shelf_.read(labels.sha256, {4}, 5), "green");
  EXPECT_EQ(*shelf_.read(labels.sha256, labels.size, 5), "");
  EXPECT_FALSE(shelf_.read(std::string(64, 'a'), {}, 5));
}

TEST(CatalogueText, IsReadAsTheSame) {
  const auto read = Catalogue::parse(test::tiny_catalogue(), "/m");
  const auto again = Catalogue::parse(catalogue_text(read->variants(), "test"), "/m");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(catalogue_text(again->variants(), "test"), catalogue_text(read->variants(), "test"));
  EXPECT_EQ(again->variants()[0].variant, read->variants()[0].variant);
  EXPECT_EQ(again->variants()[0].input.mean, read->variants()[0].input.mean);
}

TEST(FleetFile, DevicesByRange_LabelsGroupsAndWants) {
  const auto file = parse_fleet_file(
      "[[device]]\nid = \"cam-{9..11}\"\nlabels = [\"site=roof\"]\ngroups = [\"cameras\"]\n"
      "[[device]]\nid = \"a\"\nenrol = false\n"
      "[[want]]\nwhere = \"group:cameras\"\nmodels = [\"small\"]\n",
      "fleet.toml");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->devices.size(), 4U);
  EXPECT_EQ(file->devices[0].note.device, "a");
  EXPECT_FALSE(file->devices[0].enrol);
  EXPECT_EQ(file->devices[1].note.device, "cam-10");
  EXPECT_EQ(file->devices[1].note.labels.at("site"), "roof");
  ASSERT_EQ(file->wants.size(), 1U);
  EXPECT_EQ(to_string(file->wants[0].where), "group:cameras");
}

TEST(FleetFile, Mistakes_AreNamedWithTheirLine) {
  for (const char* text : {
           "[[device]]\nid = \"A\"\n",
           "[[device]]\nid = \"a\"\n[[device]]\nid = \"a\"\n",
           "[[device]]\nid = \"a-{3..1}\"\n",
           "[[device]]\nid = \"a-{1..99999}\"\n",
           "[[device]]\nid = \"a\"\nlabels = [\"roof\"]\n",
           "[[device]]\nid = \"a\"\nlabel = [\"site=roof\"]\n",
           "[[want]]\nwhere = \"roof\"\nmodels = []\n",
           "[[want]]\nwhere = \"all\"\n",
           "[[wants]]\nwhere = \"all\"\n",
       }) {
    const auto file = parse_fleet_file(text, "fleet.toml");
    ASSERT_FALSE(file) << text;
    EXPECT_NE(file.error().message.find("fleet.toml"), std::string::npos) << file.error().message;
  }
}

}  // namespace
}  // namespace juggler
