// The name of this machine, for locks, temporary names and status on file systems that several machines share.
#pragma once

#include <string>

namespace btm {

std::string host_name();

}  // namespace btm
