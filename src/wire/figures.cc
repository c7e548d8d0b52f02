#include "wire/figures.h"

namespace juggler::wire {

void write_energy(JsonWriter& writer, const std::optional<EnergyFigure>& energy) {
  if (!energy.has_value()) {
    return;
  }
  writer.text("energy_evidence", to_string(energy->evidence));
  writer.text("energy_scope", to_string(energy->scope));
  writer.integer("energy_uj", energy->value.count);
  writer.integer("energy_uj_high", energy->high.count);
  writer.integer("energy_uj_low", energy->low.count);
}

std::optional<EnergyFigure> read_energy(ObjectReader& reader) {
  if (!reader.has("energy_uj")) {
    return std::nullopt;
  }
  EnergyFigure energy;
  energy.value = {reader.integer("energy_uj", 0, kMicrojoulesMax)};
  energy.high = {reader.integer("energy_uj_high", 0, kMicrojoulesMax)};
  energy.low = {reader.integer("energy_uj_low", 0, kMicrojoulesMax)};
  if (energy.value < energy.low || energy.high < energy.value) {
    reader.complain("energy_uj", "is not within energy_uj_low and energy_uj_high");
  }
  energy.evidence = reader.name("energy_evidence", parse_evidence, Evidence::Assumed);
  energy.scope = reader.name("energy_scope", parse_power_scope, PowerScope::BoardInput);
  return energy;
}

// The best come first: those for whose names there is no room are left out.
void write_labels(JsonWriter& writer, const std::vector<Label>& labels) {
  writer.begin_array("labels");
  std::size_t bytes = 0;
  for (const Label& label : labels) {
    bytes += label.name.size();
    if (bytes > kLabelBytesMax) {
      break;
    }
    writer.begin_object();
    writer.integer("index", label.index);
    writer.text("label", label.name);
    writer.number("score", label.score);
    writer.end_object();
  }
  writer.end_array();
}

std::vector<Label> read_labels(ObjectReader& reader) {
  std::vector<Label> labels;
  std::size_t bytes = 0;
  reader.each("labels", kTopKMax, [&](ObjectReader& label) {
    Label read{static_cast<int>(label.integer("index", 0, INT32_MAX)), label.string("label", 1024),
               label.number("score", -1e30, 1e30)};
    bytes += read.name.size();
    if (bytes <= kLabelBytesMax) {  // the best come first; an earlier version sent all
      labels.push_back(std::move(read));
    }
  });
  return labels;
}

}  // namespace juggler::wire
