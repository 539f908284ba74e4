// A plan.
#include "btm/plan/plan.h"
#include "fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return btm::fuzz::value_or_error(data, size, [](std::string_view bytes) {
    const btm::fuzz::InputFile input(bytes);
    const btm::Plan plan = btm::load_plan(input.path(), {});
    btm::to_yaml(btm::settings_json(plan));  // as grow records it
  });
}
