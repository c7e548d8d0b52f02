#pragma once
// `juggler-consumer label-pictures`: real labels for the answers of twins, computed beforehand.

#include "apps/flags.h"

namespace juggler {

void add_label_command(CLI::App& app, Action& action);

}  // namespace juggler
