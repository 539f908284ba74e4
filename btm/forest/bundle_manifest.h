// What a bundle says of the expert in it: the JSON text in its metadata (docs/formats.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "btm/forest/expert.h"
#include "btm/model/config.h"

namespace btm {

inline constexpr char kManifest[] = "btm";  // its key in the metadata

struct Manifest {
  bool delta = false;  // weights are the difference to those that the expert started from
  Json config;         // the content of config.json
  ExpertInfo expert;   // without `imported`
  std::vector<Ancestor> ancestors;
};

// Its text. Throws Error(input), which `where` heads, for an expert that parse_manifest would refuse.
std::string manifest_text(const Manifest& manifest, const std::string& where);

// Throws Error(input), which `where` heads, for anything that isn't as btm writes it: other keys, names that are no
// file names, texts with control characters, hashes that are none, numbers out of their range.
Manifest parse_manifest(const std::string& text, const std::string& where);

}  // namespace btm
