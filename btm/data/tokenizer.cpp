#include "btm/data/tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/thread_team.h"
#include "btm/data/normalizer.h"
#include "btm/data/tokenizer_file.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

constexpr const char* kTokenizerConfigFile = "tokenizer_config.json";
constexpr std::array<const char*, 4> kCompanions = {"special_tokens_map.json", "added_tokens.json",
                                                    "chat_template.jinja", "chat_template.json"};

// What model families call the token between documents, when neither GPT-2's nor the config's name is there.
constexpr std::array<std::string_view, 4> kEndNames = {"<|end_of_text|>", "</s>", "<eos>", "[EOS]"};

// Memory of one encode call.
struct Scratch {
  BpeScratch bpe;
  std::string normalized;
  std::vector<TextPart> raw, parts;
};

// The `eos_token` of a tokenizer_config.json, which is a string or an added token written out; empty if none.
std::string end_token_of(const std::string& config) {
  const auto root = nlohmann::json::parse(config, nullptr, false);
  if (!root.is_object() || !root.contains("eos_token")) return {};
  const auto& token = root.at("eos_token");
  const auto& text = token.is_object() && token.contains("content") ? token.at("content") : token;
  return text.is_string() ? text.get<std::string>() : "";
}

std::string make_config(const std::string& end) {
  nlohmann::ordered_json root;
  root["tokenizer_class"] = "PreTrainedTokenizerFast";
  root["clean_up_tokenization_spaces"] = false;
  if (!end.empty()) root["bos_token"] = root["eos_token"] = end;
  return root.dump(2) + "\n";
}

// The config for a model of that context (0: any), where it lets texts be longer; transformers' 1e30 stands for no
// limit.
std::string shortened(const std::string& config, int context) {
  constexpr const char* kKey = "model_max_length";
  constexpr double kNoLimit = 1e20;
  auto root = nlohmann::ordered_json::parse(config, nullptr, false);
  if (context == 0 || !root.is_object() || !root.contains(kKey) || !root[kKey].is_number()) return config;
  const auto longest = root[kKey].get<double>();
  if (longest <= context || longest >= kNoLimit) return config;
  root[kKey] = context;
  return root.dump(2) + "\n";
}

}  // namespace

struct Tokenizer::Impl {
  TokenizerFile file;
  AddedTokenFinder raw, normalized;  // tokens looked for before and after normalisation
  std::vector<bool> special;         // by id
  TokenId end = -1;
  std::string json, sha256, config;
  std::vector<std::pair<std::string, std::string>> companions;  // name, bytes

  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Scratch>> idle;  // kept between calls for their word caches

  std::unique_ptr<Scratch> borrow() const {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::make_unique<Scratch>();
    auto scratch = std::move(idle.back());
    idle.pop_back();
    return scratch;
  }
  void give_back(std::unique_ptr<Scratch> scratch) const {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(scratch));
  }

  void find_added();
  void find_end();
  void encode(std::string_view text, Scratch& scratch, std::vector<TokenId>& ids) const;
};

void Tokenizer::Impl::find_added() {
  special.resize(file.pieces.size());
  std::string buffer;
  for (const AddedToken& token : file.added) {
    special[static_cast<std::size_t>(token.id)] = token.special;
    const bool change = token.normalized && file.nfc;
    (token.normalized ? normalized : raw).add(token, change ? nfc(token.content, buffer) : token.content);
  }
}

void Tokenizer::Impl::find_end() {
  std::vector<std::string> names = {"<|endoftext|>", end_token_of(config)};
  names.insert(names.end(), kEndNames.begin(), kEndNames.end());
  for (const std::string& name : names) {
    const auto found = std::ranges::find(file.added, name, &AddedToken::content);
    if (found == file.added.end()) continue;
    end = found->id;
    return;
  }
}

void Tokenizer::Impl::encode(std::string_view text, Scratch& scratch, std::vector<TokenId>& ids) const {
  const auto take = [&](std::string_view word) { file.bpe.encode(word, scratch.bpe, ids); };
  scratch.raw.clear();
  raw.split(text, scratch.raw);
  for (const TextPart& outer : scratch.raw) {
    if (outer.id >= 0) {
      ids.push_back(outer.id);
      continue;
    }
    scratch.parts.clear();
    normalized.split(file.nfc ? nfc(outer.text, scratch.normalized) : outer.text, scratch.parts);
    for (const TextPart& part : scratch.parts) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        file.words.split(part.text, take);
      }
    }
  }
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const fs::path& path) {
  const fs::path file = fs::is_directory(path) ? path / kTokenizerFile : path;
  if (!fs::exists(file)) {
    throw input_error(
        "{}: not there; name a tokenizer's folder (a forest's is FOREST/tokenizer), or have transformers write it: "
        "AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)",
        file.string());
  }
  Tokenizer made = parse(read_file(file), file.string());
  const fs::path config = file.parent_path() / kTokenizerConfigFile;
  if (fs::exists(config)) {
    made.impl_->config = read_file(config);
    if (!nlohmann::json::accept(made.impl_->config)) throw input_error("{}: not JSON", config.string());
    made.impl_->find_end();
  }
  for (const char* name : kCompanions) {
    const fs::path companion = file.parent_path() / name;
    if (fs::exists(companion)) made.impl_->companions.emplace_back(name, read_file(companion));
  }
  return made;
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& name) {
  auto impl = std::make_unique<Impl>();
  impl->file = parse_tokenizer_file(json, name);
  impl->json = json;
  impl->sha256 = sha256_hex(json);
  impl->find_added();
  impl->find_end();
  return Tokenizer(std::move(impl));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text) const {
  std::vector<TokenId> ids;
  encode(text, ids);
  return ids;
}

void Tokenizer::encode(std::string_view text, std::vector<TokenId>& ids) const {
  if (const std::size_t bad = find_invalid_utf8(text); bad != text.npos) {
    throw input_error("text to encode is not UTF-8 at byte {}; replace the invalid bytes first", bad);
  }
  auto scratch = impl_->borrow();
  impl_->encode(text, *scratch, ids);
  impl_->give_back(std::move(scratch));
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab_size()) {
      throw input_error("token id {} is not in the vocabulary, which ends at {}", id, vocab_size() - 1);
    }
    const auto index = static_cast<std::size_t>(id);
    if (!(skip_special && impl_->special[index])) bytes += impl_->file.pieces[index];
  }
  return bytes;
}

int Tokenizer::vocab_size() const {
  return static_cast<int>(impl_->file.pieces.size());
}
TokenId Tokenizer::end_of_text() const {
  return impl_->end;
}

int Tokenizer::byte_length(TokenId id) const {
  const auto index = static_cast<std::size_t>(id);
  return impl_->special.at(index) || id == impl_->end ? 0 : static_cast<int>(impl_->file.pieces.at(index).size());
}

const std::string& Tokenizer::json() const {
  return impl_->json;
}
const std::string& Tokenizer::sha256() const {
  return impl_->sha256;
}

void Tokenizer::save(const fs::path& dir, int context) const {
  make_folders(dir);
  const std::string end = impl_->end >= 0 ? impl_->file.pieces[static_cast<std::size_t>(impl_->end)] : "";
  write_file(dir / kTokenizerFile, impl_->json);
  write_file(dir / kTokenizerConfigFile, impl_->config.empty() ? make_config(end) : shortened(impl_->config, context));
  for (const auto& [name, bytes] : impl_->companions) write_file(dir / name, bytes);
}

std::vector<std::vector<TokenId>> encode_all(const Tokenizer& tokenizer, std::span<const std::string> texts,
                                             int threads) {
  std::vector<std::vector<TokenId>> ids(texts.size());
  ThreadTeam(threads).share(texts.size(), [&](std::size_t i) { tokenizer.encode(texts[i], ids[i]); });
  return ids;
}

}  // namespace btm
