// What a backward pass tells while it goes on.
#pragma once

#include <functional>

namespace btm {

// Called when the gradients of a block are complete.
using BlockDone = std::function<void(int block)>;

}  // namespace btm
