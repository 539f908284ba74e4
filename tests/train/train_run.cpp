// Trains one run folder, as `btm train RUN` does.
#include <fmt/format.h>

#include <cstdio>

#include "btm/core/error.h"
#include "btm/core/interrupt.h"
#include "btm/train/run_training.h"

int main(int, char** arguments) {
  btm::catch_interrupts();
  try {
    btm::run_training(arguments[1], {.quiet = true});
    return 0;
  } catch (const btm::Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return static_cast<int>(e.cause());
  }
}
