#include "btm/plan/study.h"

#include <algorithm>
#include <map>
#include <set>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/forest/published_comparisons.h"
#include "btm/plan/baselines.h"
#include "btm/plan/forest_tokenizer.h"
#include "btm/plan/plan.h"
#include "btm/plan/study_results.h"

namespace btm {
namespace {

// One forest of the study, with one of the random seeds: that of all variants that set the same.
struct Task {
  std::vector<const StudyVariant*> variants;
  fs::path forest;
  std::vector<std::string> set;
};

void add_task(std::vector<Task>& tasks, const StudyVariant& variant, const fs::path& forest,
              const std::vector<std::string>& set) {
  auto same = std::ranges::find(tasks, set, &Task::set);
  if (same == tasks.end()) same = tasks.insert(tasks.end(), {{}, forest, set});
  same->variants.push_back(&variant);
}

std::vector<Task> tasks_of(const Study& study) {
  std::vector<Task> tasks;
  for (const StudyVariant& variant : study.variants) {
    std::vector<std::string> set = study.set;
    set.insert(set.end(), variant.set.begin(), variant.set.end());
    const fs::path forest = fs::path(study.folder) / variant.name;
    if (study.random_seeds.empty()) add_task(tasks, variant, forest, set);
    for (std::int64_t seed : study.random_seeds) {
      set.push_back(fmt::format("training.random_seed={}", seed));
      add_task(tasks, variant, fmt::format("{}-{}", forest.string(), seed), set);
      set.pop_back();
    }
  }
  for (Task& task : tasks) {  // quoted: it may have marks of YAML
    task.set.push_back("forest=" + Json(task.forest.string()).dump());
  }
  return tasks;
}

// Rows that the results of a plan can have.
std::vector<std::string> rows_of(const Plan& plan) {
  std::vector<std::string> rows{kSeedName};
  for (const ComparisonSettings& comparison : plan.compare) rows.push_back(comparison_name(comparison));
  for (const PublishedComparison& there : published_comparisons({plan.forest})) rows.push_back(there.name);
  rows.insert(rows.end(), plan.evaluate.mixtures.begin(), plan.evaluate.mixtures.end());
  rows.insert(rows.end(), {"best_single", "oracle"});
  return rows;
}

// Single domains and means over several that they can have.
std::vector<std::string> shown_domains(const Plan& plan) {
  std::vector<std::string> shown{"train", "all"};
  if (!domains_of_role(plan, Role::novel).empty()) shown.insert(shown.begin() + 1, "novel");
  for (const auto& [name, domain] : plan.domains) shown.push_back(name);
  return shown;
}

struct Shown {
  std::vector<std::string> rows, domains;
};

void require_known(const std::string& word, const std::vector<std::string>& known, const std::string& where) {
  std::vector<std::string> once;
  for (const std::string& each : known) {
    if (std::ranges::find(once, each) == once.end()) once.push_back(each);
  }
  find_word(where, word, once);
}

// What a variant names itself is in its own results; what the series name, in those of some variant.
void check_series(const Study& study, const std::vector<Task>& tasks, const std::vector<Plan>& plans) {
  Shown shared;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const Shown own{rows_of(plans[i]), shown_domains(plans[i])};
    for (const StudyVariant* variant : tasks[i].variants) {
      auto check = [&](const std::string& word, const char* key, const std::vector<std::string>& known,
                       std::vector<std::string>& all) {
        if (word.empty()) {
          all.insert(all.end(), known.begin(), known.end());
        } else {
          require_known(word, known, fmt::format("study {}, variant {}: {}", study.study, variant->name, key));
        }
      };
      check(variant->row, "row", own.rows, shared.rows);
      check(variant->domains, "domains", own.domains, shared.domains);
    }
  }
  for (std::size_t i = 0; i < study.series.size(); ++i) {
    const std::string where = fmt::format("study {}: series[{}]", study.study, i);
    const StudySeries& series = study.series[i];
    if (!shared.rows.empty()) require_known(series.row, shared.rows, where + ".row");
    if (!shared.domains.empty()) require_known(series.domains, shared.domains, where + ".domains");
    require_known(series.measure, {"perplexity", "bits_per_byte"}, where + ".measure");
  }
}

// Each point of a line has a place of its own.
void check_places(const Study& study) {
  std::set<std::pair<std::string, Json>> seen;
  for (const StudySeries& series : study.series) {
    for (const StudyVariant& variant : study.variants) {
      const std::string line = variant.series.empty() ? label_of(study, series) : variant.series;
      if (seen.emplace(line, place_of(variant)).second) continue;
      throw input_error("study {}: the line '{}' has two points at {}; give variants another x, or a series each",
                        study.study, line, place_of(variant).dump());
    }
  }
}

// Variants that would train tokenizers alike share one, whatever their domains, so that losses compare: the first that
// was made so, or the first one's.
void share_tokenizers(std::vector<Plan>& plans) {
  std::map<std::string, fs::path> shared;  // by the settings
  const auto settings = [](const Plan& plan) { return settings_json(plan.tokenizer).dump(); };
  for (const Plan& plan : plans) {
    if (has_tokenizer_of(plan)) shared.emplace(settings(plan), ForestPaths{plan.forest}.tokenizer());
  }
  for (Plan& plan : plans) {
    if (!plan.tokenizer.from.empty() || has_tokenizer_of(plan)) continue;
    const fs::path own = ForestPaths{plan.forest}.tokenizer(),
                   source = shared.emplace(settings(plan), own).first->second;
    if (source != own) {
      plan.tokenizer.from = source;
    } else if (fs::exists(own) && Tokenizer::load(own).vocab_size() == plan.tokenizer.vocab_size) {
      plan.tokenizer.from = own;  // taken from one that is no more
    }
  }
}

// The plan of each task. All are read before any is grown: a mistake in the last one shows at once.
std::vector<Plan> load_plans(const Study& study, const std::vector<Task>& tasks) {
  std::vector<Plan> plans;
  for (const Task& task : tasks) {
    with_context(fmt::format("study {}, variant {}", study.study, task.variants.front()->name), [&] {
      plans.push_back(load_plan(study.plan, task.set));
      for (auto& [name, domain] : plans.back().domains) domain.text.except.emplace_back(study.folder);
      if (plans.back().cycles.empty()) {
        throw input_error("{}: there are no cycles, so no results to compare; add some", study.plan);
      }
    });
  }
  share_tokenizers(plans);
  return plans;
}

// The other forests that are there of this study and of those beside it.
std::vector<fs::path> forests_beside(const Study& study, const fs::path& own) {
  std::vector<fs::path> forests;
  std::error_code none;
  const fs::path own_folder = (fs::absolute(study.folder).lexically_normal() / "").parent_path();  // without a last '/'
  for (const auto& other : fs::directory_iterator(own_folder.parent_path(), none)) {
    for (const auto& forest : fs::directory_iterator(other.path(), none)) {
      const bool is_forest = fs::exists(ForestPaths{forest.path()}.plan(), none);
      if (is_forest && !fs::equivalent(forest.path(), own, none)) forests.push_back(forest.path());
    }
  }
  std::ranges::sort(forests);
  return forests;
}

}  // namespace

Study load_study(const fs::path& file) {
  auto study = load_settings<Study>(file);
  auto require = [&file](bool holds, const char* what) {
    if (!holds) throw input_error("{}: {}", file.string(), what);
  };
  require(!study.study.empty(), "study is missing: its name");
  require(!study.plan.empty(), "plan is missing: the plan to vary");
  require(!study.folder.empty(), "folder is missing: where the variants grow");
  require(!study.variants.empty(), "variants: none given");
  require(!study.series.empty(), "series: none given; name rows of the results to compare");
  std::set<std::string> seen;
  for (const StudyVariant& variant : study.variants) {
    const bool plain =
        !variant.name.empty() && variant.name.front() != '.' && variant.name.find('/') == std::string::npos;
    if (!plain) throw input_error("{}: '{}' can't be the name of a variant", file.string(), variant.name);
    if (!seen.insert(variant.name).second)
      throw input_error("{}: variant '{}' is there twice", file.string(), variant.name);
  }
  for (const StudyVariant& variant : study.variants) {
    const Json place = place_of(variant);
    const bool on_axis = !study.log_x || !place.is_number() || place.get<double>() > 0;
    if (!on_axis)
      throw input_error("{}: variant '{}': x is {}, which log_x has no place for", file.string(), variant.name,
                        place.dump());
  }
  const std::set<std::int64_t> seeds(study.random_seeds.begin(), study.random_seeds.end());
  require(seeds.size() == study.random_seeds.size(), "random_seeds: one is there twice");
  study.plan = (file.parent_path() / study.plan).string();
  return study;
}

Json run_study(const Study& study, const GrowOptions& options) {
  std::vector<Task> tasks = tasks_of(study);
  const std::vector<Plan> plans = load_plans(study, tasks);
  check_series(study, tasks, plans);
  check_places(study);
  std::vector<GrownVariant> grown;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    log_info(fmt::format("study {}: forest {} ({} of {})", study.study, tasks[i].forest.filename().string(), i + 1,
                         tasks.size()));
    GrowOptions own = options;
    own.neighbours = forests_beside(study, plans[i].forest);
    const Json evaluation = grow(plans[i], own).evaluation;
    if (evaluation.is_null()) throw input_error("{}: it has no experts to evaluate", tasks[i].forest.string());
    for (const StudyVariant* variant : tasks[i].variants) grown.push_back({variant->name, tasks[i].forest, evaluation});
  }
  Json results = study_results(study, grown);
  write_file(fs::path(study.folder) / "study.json", results.dump(2) + "\n");
  return results;
}

}  // namespace btm
