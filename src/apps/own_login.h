#pragma once
// Where a consumer keeps the login that it was given by joining, or by another name.

#include <filesystem>
#include <string>

#include "apps/places.h"

namespace juggler {

// Where joining stores a login unless told otherwise.
std::filesystem::path stored_login(const BrokerChoice& broker);

// The file in which this program keeps its login itself, which it may write anew when it is given
// another name; empty where its login is somebody else's matter. `broker` reads it where it is
// there.
//
// Where nothing else is said it is what an earlier join has stored in the home. A login that is a
// systemd credential stays as it is; one by another name is kept in the home, and used for as long
// as the credential is the one instead of which it came.
std::string own_login(BrokerChoice& broker);

}  // namespace juggler
