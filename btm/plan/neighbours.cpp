#include "btm/plan/neighbours.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/folders.h"
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

// Asks one forest after the other until one says true. One that is damaged, someone else's, or changed at this moment
// is no reason to stop.
template <class F>
bool find_in(const std::vector<fs::path>& forests, F&& look) {
  return std::ranges::any_of(forests, [&look](const fs::path& root) {
    try {
      return look(root);
    } catch (const std::exception& e) {
      log_detail(fmt::format("not all that {} has is taken over: {}", root.string(), e.what()));
      return false;
    }
  });
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
  writer.publish();
}

}  // namespace

Neighbours::Neighbours(const std::vector<fs::path>& forests) : forests_(forests) {
  find_in(forests, [this](const fs::path& root) {
    for (const PublishedModel& model : published_models({root})) {
      const ExpertInfo info = load_expert(model.folder);
      if (info.imported) continue;  // that it was made so is its sender's word alone
      const bool one_of_several = info.recipe.value("demix", false);
      models_.emplace(info.recipe_sha256, one_of_several ? model.folder.parent_path() : model.folder);
    }
    return false;
  });
}

std::optional<fs::path> Neighbours::find_model(const std::string& recipe_sha256) const {
  auto found = models_.find(recipe_sha256);
  return found == models_.end() ? std::nullopt : std::optional(found->second);
}

bool Neighbours::take_tokenizer(const std::string& recipe, const fs::path& target) const {
  return find_in(forests_, [&](const fs::path& root) {
    const fs::path folder = ForestPaths{root}.tokenizer();
    if (!fs::exists(folder / kTokenizerRecipe) || read_file(folder / kTokenizerRecipe) != recipe) return false;
    if (!holds_sums(folder)) return false;
    publish_links(folder, target);
    return true;
  });
}

bool Neighbours::take_tokens(const std::string& domain, const TextSettings& text, const std::string& tokenizer_sha256,
                             const fs::path& target) const {
  const std::string files = files_sha256(text, domain);
  return find_in(forests_, [&](const fs::path& root) {
    const fs::path folder = ForestPaths{root}.tokens(domain);
    if (!fs::exists(folder / kDomainReportFile)) return false;
    const DomainReport report = load_domain_report(folder);
    if (report.files_sha256 != files || report.tokenizer_sha256 != tokenizer_sha256) return false;
    if (!holds_sums(folder)) return false;
    publish_links(folder, target);
    return true;
  });
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
