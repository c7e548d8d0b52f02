// Units, and the names of every enumeration in both directions.

#include <gtest/gtest.h>

#include "core/device.h"
#include "core/evidence.h"
#include "core/fleet.h"
#include "core/model.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler {
namespace {

TEST(Units, Milliseconds_AreAThousandMicros) { EXPECT_EQ(milliseconds(3), Micros{3000}); }
TEST(Units, Seconds_AreAMillionMicros) { EXPECT_EQ(seconds(2), Micros{2'000'000}); }
TEST(Units, Mebibytes_Are1048576Bytes) { EXPECT_EQ(mebibytes(8), Bytes{8'388'608}); }

TEST(Units, Arithmetic_IsThatOfTheCount) {
  EXPECT_EQ(Micros{5} + Micros{7}, Micros{12});
  EXPECT_EQ(Micros{5} - Micros{7}, Micros{-2});
  EXPECT_EQ(Micros{5} * 3, Micros{15});
  EXPECT_EQ(Micros{7} / 2, Micros{3});
  Micros sum{1};
  sum += Micros{4};
  sum -= Micros{2};
  EXPECT_EQ(sum, Micros{3});
}

TEST(Units, TimeMinusTime_IsADuration) {
  EXPECT_EQ(Time{100} - Time{40}, Micros{60});
  EXPECT_EQ(Time{100} + Micros{5}, Time{105});
  EXPECT_EQ(Time{100} - Micros{5}, Time{95});
  EXPECT_LT(Time{100}, Time::never());
}

TEST(Names, Evidence_RoundTrips) {
  for (const Evidence value : {Evidence::Measured, Evidence::Published, Evidence::Derived,
                               Evidence::Estimated, Evidence::Assumed}) {
    EXPECT_EQ(parse_evidence(to_string(value)), value);
  }
  EXPECT_FALSE(parse_evidence("guessed").has_value());
}

TEST(Names, PowerScope_RoundTrips) {
  for (const PowerScope value : {PowerScope::ModuleRail, PowerScope::RailSum,
                                 PowerScope::BoardInput, PowerScope::Wall, PowerScope::Package}) {
    EXPECT_EQ(parse_power_scope(to_string(value)), value);
  }
  EXPECT_FALSE(parse_power_scope("").has_value());
}

TEST(Names, PayloadKind_RoundTrips) {
  for (const PayloadKind value : {PayloadKind::Jpeg, PayloadKind::Png, PayloadKind::RawRgb,
                                  PayloadKind::FloatTensor, PayloadKind::Opaque}) {
    EXPECT_EQ(parse_payload_kind(to_string(value)), value);
  }
}

TEST(Names, AttemptStatus_RoundTrips) {
  for (const AttemptStatus value :
       {AttemptStatus::Ok, AttemptStatus::Error, AttemptStatus::BadPayload, AttemptStatus::Expired,
        AttemptStatus::Refused}) {
    EXPECT_EQ(parse_attempt_status(to_string(value)), value);
  }
}

TEST(Names, OutcomeKind_RoundTrips) {
  for (const OutcomeKind value :
       {OutcomeKind::Completed, OutcomeKind::Rejected, OutcomeKind::Expired, OutcomeKind::Failed}) {
    EXPECT_EQ(parse_outcome_kind(to_string(value)), value);
  }
  EXPECT_FALSE(parse_outcome_kind("Completed").has_value());
}

TEST(Names, ProcessorKind_RoundTrips) {
  for (const ProcessorKind value : {ProcessorKind::Cpu, ProcessorKind::Gpu, ProcessorKind::Dla}) {
    EXPECT_EQ(parse_processor_kind(to_string(value)), value);
  }
}

TEST(Names, Weights_RoundTrips) {
  for (const Weights value : {Weights::Pretrained, Weights::Synthetic}) {
    EXPECT_EQ(parse_weights(to_string(value)), value);
  }
}

TEST(Names, Liveness_IsNamedForPeople) {
  EXPECT_EQ(to_string(Liveness::Live), "live");
  EXPECT_EQ(to_string(Liveness::Suspect), "suspect");
  EXPECT_EQ(to_string(Liveness::Lost), "lost");
  EXPECT_EQ(to_string(Liveness::Gone), "gone");
  EXPECT_EQ(to_string(Liveness::Draining), "draining");
}

}  // namespace
}  // namespace juggler
