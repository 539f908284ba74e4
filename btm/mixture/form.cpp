#include "btm/mixture/form.h"

#include <map>

#include "btm/core/error.h"
#include "btm/core/format.h"

namespace btm {

namespace {

constexpr const char* kAverage = "average_";

std::map<std::string, Form> fixed_forms(const PriorSettings& weights) {
  std::map<std::string, Form> forms;
  forms["ensemble"].weights = weights;
  forms["ensemble_cached"].weights = {PriorKind::cached, 1.0};
  forms["ensemble_updating"].weights = {PriorKind::updating, 1.0};
  forms["ensemble_dropping"].weights = weights;
  forms["ensemble_dropping"].drop_below = kDropBelow;
  forms["ensemble_and_seed"].weights = weights;
  forms["ensemble_and_seed"].generalist = Generalist::seed;
  forms["ensemble_and_average"].weights = weights;
  forms["ensemble_and_average"].generalist = Generalist::average;
  forms["average_probabilities"].weights = {PriorKind::uniform, std::nullopt};
  forms["average_probabilities"].evidence = 0;
  forms["product_of_experts"].kind = FormKind::product;
  for (const auto& [kind, name] : names(AverageKind{})) {
    Form& form = forms[kAverage + std::string(name)];
    form.kind = FormKind::average;
    form.average = kind;
  }
  return forms;
}

// k of "top_k"; 0 if it is something else.
int top_k_of(std::string_view name) {
  if (!name.starts_with("top_")) return 0;
  name.remove_prefix(4);
  bool number =
      !name.empty() && name.size() < 5 && name.front() != '0' && name.find_first_not_of("0123456789") == name.npos;
  return number ? std::stoi(std::string(name)) : 0;
}

}  // namespace

Form parse_form(const std::string& name, const PriorSettings& weights) {
  auto forms = fixed_forms(weights);
  if (auto found = forms.find(name); found != forms.end()) return found->second;
  constexpr std::string_view kByToken = "_by_token";
  std::string_view number = name;
  bool by_token = number.ends_with(kByToken);
  if (by_token) number.remove_suffix(kByToken.size());
  if (int k = top_k_of(number); k > 0) {
    Form form;
    form.weights = weights;
    (by_token ? form.by_token : form.top_k) = k;
    return form;
  }
  std::vector<std::string> known{"top_1", "top_2", "top_4", "top_8", "top_2_by_token"}, shown;
  for (const auto& [key, form] : forms) {
    known.push_back(key);
    shown.push_back(key);
  }
  throw input_error("unknown mixture {}: there are {}, top_K, top_K_by_token{}", name, fmt::join(shown, ", "),
                    did_you_mean(nearest_word(name, known)));
}

}  // namespace btm
