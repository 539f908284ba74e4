#include "btm/data/tokenizer_file.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "btm/core/error.h"
#include "btm/core/json.h"
#include "btm/data/byte_alphabet.h"
#include "btm/data/normalizer.h"

namespace btm {
namespace {

using nlohmann::json;
using Vocabulary = std::unordered_map<std::string, TokenId>;

constexpr std::size_t kMostUnused = 1 << 16;  // ids without a token: a broken file should not ask for gigabytes

bool is_off(const json& model, const char* key) {
  static const json kOff = {nullptr, false, "", 0};
  const auto found = model.find(key);
  return found == model.end() || std::ranges::count(kOff, *found) > 0;
}

// Bytes that no token stands for are passed over, unless an option tells `tokenizers` to do something else with them.
void check_options(const json& model, bool all_bytes, const std::string& name) {
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}) {
    if (!is_off(model, key)) throw input_error("{}: model.{} = {} is not supported", name, key, model.at(key).dump());
  }
  if (!all_bytes && !is_off(model, "unk_token")) {
    throw input_error("{}: model.unk_token with a vocabulary that lacks some of the 256 bytes is not supported", name);
  }
}

Vocabulary read_vocabulary(const json& model, const std::string& name) {
  Vocabulary vocabulary;
  const std::size_t size = model.at("vocab").size();
  vocabulary.reserve(size);
  std::vector<const std::string*> token_of(size + kMostUnused + 1);
  for (const auto& [token, id] : model.at("vocab").items()) {
    if (!id.is_number_unsigned() || id.get<std::size_t>() > size + kMostUnused) {
      throw input_error("{}: model.vocab gives token `{}` of {} the id {}", name, token, size, id.dump());
    }
    const auto known = vocabulary.emplace(token, id.get<TokenId>()).first;
    const std::string*& first = token_of[id.get<std::size_t>()];
    if (first) throw input_error("{}: model.vocab gives `{}` and `{}` the id {}", name, *first, token, id.dump());
    first = &known->first;
  }
  return vocabulary;
}

// A merge is ["a", "b"], or in older files "a b".
std::pair<std::string, std::string> read_merge(const json& merge, const std::string& name) {
  if (merge.is_array() && merge.size() == 2) return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  throw input_error("{}: model.merges has {}, which is not a pair of tokens", name, merge.dump());
}

void read_merges(const json& model, const Vocabulary& vocabulary, const std::string& name, Bpe& bpe) {
  std::int32_t rank = 0;
  for (const json& merge : model.at("merges")) {
    if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version")) continue;
    const auto [first, second] = read_merge(merge, name);
    const auto id_of = [&](const std::string& token) {
      const auto found = vocabulary.find(token);
      if (found == vocabulary.end()) {
        throw input_error("{}: model.merges needs the token `{}`, which model.vocab lacks", name, token);
      }
      return found->second;
    };
    bpe.add_merge(id_of(first), id_of(second), {rank++, id_of(first + second)});
  }
}

// Puts a text at an id, making room.
void place(std::vector<std::string>& pieces, TokenId id, std::string text) {
  if (static_cast<std::size_t>(id) >= pieces.size()) pieces.resize(static_cast<std::size_t>(id) + 1);
  pieces[static_cast<std::size_t>(id)] = std::move(text);
}

Vocabulary read_model(const json& model, const std::string& name, TokenizerFile& file) {
  if (model.value("type", "BPE") != "BPE") {
    throw input_error("{}: model type `{}` is not supported, only BPE", name, model.value("type", ""));
  }
  Vocabulary vocabulary = read_vocabulary(model, name);
  const bool whole = model.contains("ignore_merges") && model.at("ignore_merges") == true;
  for (const auto& [token, id] : vocabulary) {
    const auto bytes = from_alphabet(token);
    if (bytes && whole) file.bpe.add_whole(*bytes, id);
    place(file.pieces, id, bytes.value_or(token));
  }
  bool all_bytes = true;
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = vocabulary.find(to_alphabet(std::string(1, static_cast<char>(byte))));
    all_bytes &= found != vocabulary.end();
    if (found != vocabulary.end()) file.bpe.set_byte(static_cast<unsigned char>(byte), found->second);
  }
  check_options(model, all_bytes, name);
  read_merges(model, vocabulary, name, file.bpe);
  return vocabulary;
}

bool read_nfc(const json& part, const std::string& name) {
  if (part.is_null()) return false;
  const std::string type = part.is_object() ? part.value("type", "") : "";
  if (type == "NFC") return true;
  if (type != "Sequence") {
    throw input_error("{}: normalizer `{}` is not supported, only NFC", name, type.empty() ? part.dump() : type);
  }
  bool any = false;
  for (const json& inner : part.at("normalizers")) any |= read_nfc(inner, name);
  return any;
}

// Ids follow `tokenizers`: that of the vocabulary if it has the token, else the next free one; the file's are not
// asked.
void read_added(const json& tokens, const Vocabulary& vocabulary, TokenizerFile& file) {
  std::unordered_map<std::string, TokenId> known;
  auto next = static_cast<TokenId>(vocabulary.size());
  for (const json& json_token : tokens) {
    AddedToken token{.id = -1,
                     .content = json_token.at("content").get<std::string>(),
                     .single_word = json_token.at("single_word").get<bool>(),
                     .lstrip = json_token.at("lstrip").get<bool>(),
                     .rstrip = json_token.at("rstrip").get<bool>(),
                     .normalized = json_token.at("normalized").get<bool>(),
                     .special = json_token.at("special").get<bool>()};
    if (token.content.empty()) continue;
    const auto in_vocabulary = vocabulary.find(token.content);
    const bool repeated = known.contains(token.content);
    token.id = repeated ? known.at(token.content) : in_vocabulary != vocabulary.end() ? in_vocabulary->second : next++;
    known[token.content] = token.id;
    place(file.pieces, token.id, token.content);
    if (repeated) std::erase_if(file.added, [&](const AddedToken& earlier) { return earlier.id == token.id; });
    file.added.push_back(std::move(token));
  }
}

TokenizerFile read_parts(const json& root, const std::string& name) {
  TokenizerFile file;
  if (!root.is_object() || !root.contains("model"))
    throw input_error("{}: it has no `model`; is it a tokenizer.json?", name);
  const json none;
  const auto part = [&](const char* key) -> const json& { return root.contains(key) ? root.at(key) : none; };
  const Vocabulary vocabulary = read_model(root.at("model"), name, file);
  file.nfc = read_nfc(part("normalizer"), name);
  file.words = PreTokenizer::parse(part("pre_tokenizer"), name + ": pre_tokenizer");
  if (!part("added_tokens").is_null()) read_added(part("added_tokens"), vocabulary, file);
  return file;
}

}  // namespace

TokenizerFile parse_tokenizer_file(std::string_view text, const std::string& name) {
  const json root = parse_json_object<json>(text, name);
  try {
    return read_parts(root, name);
  } catch (const json::exception& error) {
    throw input_error("{}: a part of it is missing or of the wrong type: {}", name, error.what());
  }
}

std::string write_tokenizer_file(const std::vector<std::string>& tokens,
                                 const std::vector<std::pair<TokenId, TokenId>>& merges, const std::string& special) {
  using nlohmann::ordered_json;
  const ordered_json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  ordered_json vocabulary = ordered_json::object();
  // Keys are pushed at the end, because looking each of them up in an ordered_json is quadratic.
  auto& entries = vocabulary.get_ref<ordered_json::object_t&>();
  const auto token_of = [&](TokenId id) { return to_alphabet(tokens[static_cast<std::size_t>(id)]); };
  for (std::size_t id = 0; id < tokens.size(); ++id) entries.push_back({token_of(static_cast<TokenId>(id)), id});
  ordered_json pairs = ordered_json::array();
  for (const auto& [first, second] : merges) pairs.push_back({token_of(first), token_of(second)});
  ordered_json root;
  root["version"] = "1.0";
  root["truncation"] = nullptr;
  root["padding"] = nullptr;
  root["added_tokens"] = {{{"id", tokens.size()},
                           {"content", special},
                           {"single_word", false},
                           {"lstrip", false},
                           {"rstrip", false},
                           {"normalized", false},
                           {"special", true}}};
  root["normalizer"] = nullptr;
  root["pre_tokenizer"] = byte_level;
  root["post_processor"] = byte_level;
  root["decoder"] = byte_level;
  root["decoder"]["add_prefix_space"] = true;  // as `tokenizers` writes it; decoding does not use it
  root["model"] = {{"type", "BPE"},
                   {"dropout", nullptr},
                   {"unk_token", nullptr},
                   {"continuing_subword_prefix", nullptr},
                   {"end_of_word_suffix", nullptr},
                   {"fuse_unk", false},
                   {"byte_fallback", false},
                   {"ignore_merges", false},
                   {"vocab", std::move(vocabulary)},
                   {"merges", std::move(pairs)}};
  return root.dump(1) + "\n";
}

}  // namespace btm
