#include "btm/plan/neighbours.h"

#include <optional>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/half_written.h"
#include "btm/core/log.h"
#include "btm/core/sums.h"
#include "btm/forest/expert.h"
#include "btm/forest/models.h"

namespace btm {
namespace {

template <class F>
void for_each_entry(const fs::path& folder, F&& f) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (!is_half_written(entry.path())) f(entry.path());
  }
}

// What the first of the forests gives that gives something. One that is damaged, someone else's, or changed at this
// moment is no reason to stop.
template <class F>
std::optional<fs::path> first_of(const std::vector<fs::path>& forests, F&& look) {
  for (const fs::path& root : forests) {
    try {
      if (std::optional<fs::path> found = look(root)) return found;
    } catch (const std::exception& e) {
      log_detail(fmt::format("not all that {} has is taken over: {}", root.string(), e.what()));
    }
  }
  return std::nullopt;
}

void link_files(const fs::path& from, const fs::path& to) {
  make_folders(to);
  for_each_entry(from, [&to](const fs::path& path) {
    if (fs::is_regular_file(path)) link_or_copy(path, to / path.filename());
  });
}

void publish_links(const fs::path& from, const fs::path& to) {
  FolderWriter writer(to);
  link_files(from, writer.path());
  if (!fs::exists(writer.path() / kSumsFile)) write_sums(writer.path());  // as older versions left it
  writer.publish();
}

}  // namespace

Neighbours::Neighbours(const std::vector<fs::path>& forests) : forests_(forests) {
  first_of(forests, [this](const fs::path& root) -> std::optional<fs::path> {
    for (const PublishedModel& model : published_models({root})) {
      const ExpertInfo info = load_expert(model.folder);
      if (info.imported) continue;  // that it was made so is its sender's word alone
      const bool one_of_several = info.recipe.value("demix", false);
      models_.emplace(info.recipe_sha256, one_of_several ? model.folder.parent_path() : model.folder);
    }
    return std::nullopt;
  });
}

std::optional<fs::path> Neighbours::find_model(const std::string& recipe_sha256) const {
  auto found = models_.find(recipe_sha256);
  return found == models_.end() ? std::nullopt : std::optional(found->second);
}

bool Neighbours::take_tokenizer(const std::string& recipe, const fs::path& target) const {
  const auto found = first_of(forests_, [&recipe](const fs::path& root) -> std::optional<fs::path> {
    const fs::path folder = ForestPaths{root}.tokenizer();
    const bool same = fs::exists(folder / kTokenizerRecipe) && read_file(folder / kTokenizerRecipe) == recipe;
    return same && holds_sums(folder) ? std::optional(folder) : std::nullopt;
  });
  if (found) publish_links(*found, target);
  return found.has_value();
}

bool Neighbours::take_tokens(const std::string& domain, const TextSettings& text, const std::string& tokenizer_sha256,
                             const fs::path& target) const {
  const std::string files = files_sha256(text, domain);
  const auto found = first_of(forests_, [&](const fs::path& root) -> std::optional<fs::path> {
    const fs::path folder = ForestPaths{root}.tokens(domain);
    if (!fs::exists(folder / kDomainReportFile)) return std::nullopt;
    const DomainReport report = load_domain_report(folder);
    const bool same = report.files_sha256 == files && report.tokenizer_sha256 == tokenizer_sha256;
    return same && holds_sums(folder) ? std::optional(folder) : std::nullopt;
  });
  if (found) publish_links(*found, target);
  return found.has_value();
}

std::vector<fs::path> Neighbours::score_folders() const {
  std::vector<fs::path> folders;
  for (const fs::path& root : forests_) folders.push_back(ForestPaths{root}.scores());
  return folders;
}

void adopt_model(const fs::path& model, const fs::path& run) {
  FolderWriter folder(run);
  if (is_published(model)) {
    link_files(model, RunPaths{folder.path()}.model());
  } else {
    for_each_entry(model,
                   [&](const fs::path& part) { link_files(part, RunPaths{folder.path()}.model() / part.filename()); });
  }
  const fs::path one = is_published(model) ? RunPaths{folder.path()}.model()
                                           : fs::directory_iterator(RunPaths{folder.path()}.model())->path();
  if (fs::exists(one / kMetricsFile)) fs::rename(one / kMetricsFile, RunPaths{folder.path()}.metrics());
  folder.publish();
}

}  // namespace btm
