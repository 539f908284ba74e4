// btm verify: whether every file of a forest still holds what was written.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace btm {

enum class Verdict {
  damaged,     // not what was written
  missing,     // was there once, as others that are there say
  unreadable,  // by this user
  unexpected,  // of no use to btm
  unchecked,   // written without a hash, by an older version
  exempt,      // written again all the time, or as work goes on
};
inline std::array<std::pair<Verdict, std::string_view>, 6> names(Verdict) {
  return {{{Verdict::damaged, "damaged"},
           {Verdict::missing, "missing"},
           {Verdict::unreadable, "unreadable"},
           {Verdict::unexpected, "unexpected"},
           {Verdict::unchecked, "unchecked"},
           {Verdict::exempt, "exempt"}}};
}

struct Finding {
  Verdict verdict = Verdict::damaged;
  std::string file;    // below the forest; of what is missing also a folder
  std::string what;    // what was found and expected
  std::string remedy;  // what to do; "": nothing
};

struct Verification {
  std::int64_t files = 0, bytes = 0;  // of the forest, read
  std::vector<Finding> findings;      // by verdict and file; a file that is as it was written has none
};

// Reads the forest on `threads` threads, a file each, in blocks or mapped. Changes nothing and takes no lock: others
// may work on the forest meanwhile. Throws Error(input): no forest there.
Verification verify_forest(const std::filesystem::path& root, int threads, bool quiet);

}  // namespace btm
