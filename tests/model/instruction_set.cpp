// BTM_TEST_INSTRUCTIONS, the name of one of Highway's targets, makes all tests of this program run on that one, which
// the best one of this CPU hides otherwise.
#include <hwy/highway.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

constexpr int kSkipped = 77;

bool choose() {
  const char* wanted = std::getenv("BTM_TEST_INSTRUCTIONS");
  if (!wanted) return true;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (std::string_view(hwy::TargetName(target)) != wanted) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    return true;
  }
  std::printf("skipped: this CPU has no %s\n", wanted);
  std::exit(kSkipped);
}

const bool chosen = choose();

}  // namespace
