// A forest's log.jsonl.
#include "btm/forest/edit_log.h"

#include "btm/core/log.h"
#include "fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  btm::set_log_level(btm::LogLevel::quiet);  // a torn last line is warned of
  return btm::fuzz::value_or_error(data, size, [](std::string_view bytes) {
    const btm::fuzz::InputFile input(bytes);
    for (const btm::Edit& edit : btm::read_edits(input.path())) {
      btm::fuzz::require(!edit.expert.empty(), "an edit of nobody");
      btm::expert_of(edit);
    }
  });
}
