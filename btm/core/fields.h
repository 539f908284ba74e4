// The fields of a settings struct (settings.h): how each is read, written and described. There is one Kind for each
// type of field; what doesn't depend on the type is in fields.cpp, so that a struct's fields take little to compile.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "btm/core/json.h"

namespace btm {

template <class T>
using NamedList = std::vector<std::pair<std::string, T>>;

// The word that stands for the value of an enum in files.
template <class T>
std::string_view to_word(T value) {
  for (const auto& [known, name] : names(value)) {
    if (known == value) return name;
  }
  return "";
}

// Where `word` is in `known`. Throws Error(input), which begins with `what`, that lists the words and names the
// nearest.
std::size_t find_word(const std::string& what, const std::string& word, const std::vector<std::string>& known);

template <class T>
std::vector<std::string> words_of() {
  std::vector<std::string> words;
  for (const auto& [value, name] : names(T{})) words.emplace_back(name);
  return words;
}

// The value that the word stands for; throws as find_word.
template <class T>
T from_word(const std::string& what, const std::string& word) {
  return names(T{})[find_word(what, word, words_of<T>())].first;
}

// One type of field; `field` points to a value of that type.
class Kind {
 public:
  virtual ~Kind() = default;
  // Throws Error(input) that names line and path of what can't be read; `where` is the path ("training.clip").
  virtual void read(const YAML::Node& node, void* field, const std::string& where) const = 0;
  virtual Json json(const void* field) const = 0;
  virtual bool is_number() const { return false; }
  // Adds the lines of the fields that are inside it, if it has any.
  virtual void describe(std::string& text, int indent, void* field) const;
};

template <class T>
const Kind& kind_of();

struct Field {
  std::string_view key, help;
  void* value;
  const Kind* kind;
};

template <class T>
std::vector<Field> fields_of(T& settings) {
  std::vector<Field> fields;
  visit(settings, [&fields](std::string_view key, auto& field, std::string_view help) {
    fields.push_back({key, help, &field, &kind_of<std::remove_cvref_t<decltype(field)>>()});
  });
  return fields;
}

template <>
const Kind& kind_of<bool>();
template <>
const Kind& kind_of<int>();
template <>
const Kind& kind_of<std::int64_t>();
template <>
const Kind& kind_of<double>();
template <>
const Kind& kind_of<std::string>();

namespace fields_detail {

class EnumKind : public Kind {
 public:
  void read(const YAML::Node& node, void* field, const std::string& where) const final;
  Json json(const void* field) const final;

 protected:
  virtual std::vector<std::string> words() const = 0;
  virtual void choose(void* field, std::size_t word) const = 0;
  virtual std::string_view word(const void* field) const = 0;
};

class OptionalKind : public Kind {  // "auto": none
 public:
  explicit OptionalKind(const Kind& item) : item_(item) {}
  void read(const YAML::Node& node, void* field, const std::string& where) const final;
  Json json(const void* field) const final;
  bool is_number() const final { return item_.is_number(); }

 protected:
  virtual void reset(void* field) const = 0;
  virtual void* emplace(void* field) const = 0;
  virtual const void* value(const void* field) const = 0;  // nullptr: none

 private:
  const Kind& item_;
};

class ListKind : public Kind {
 public:
  explicit ListKind(const Kind& item) : item_(item) {}
  void read(const YAML::Node& node, void* field, const std::string& where) const final;
  Json json(const void* field) const final;
  void describe(std::string& text, int indent, void* field) const final;

 protected:
  virtual void clear(void* field) const = 0;
  virtual void* append(void* field) const = 0;
  virtual std::vector<const void*> items(const void* field) const = 0;
  virtual std::shared_ptr<void> default_item() const = 0;

 private:
  const Kind& item_;
};

class NamedListKind : public Kind {
 public:
  explicit NamedListKind(const Kind& item) : item_(item) {}
  void read(const YAML::Node& node, void* field, const std::string& where) const final;
  Json json(const void* field) const final;
  void describe(std::string& text, int indent, void* field) const final;

 protected:
  virtual void clear(void* field) const = 0;
  virtual void* append(void* field, const std::string& name) const = 0;
  virtual std::vector<std::pair<std::string, const void*>> items(const void* field) const = 0;
  virtual std::shared_ptr<void> default_item() const = 0;

 private:
  const Kind& item_;
};

class StructKind : public Kind {
 public:
  void read(const YAML::Node& node, void* field, const std::string& where) const final;
  Json json(const void* field) const final;
  void describe(std::string& text, int indent, void* field) const final;

 protected:
  virtual std::vector<Field> fields(void* field) const = 0;
  virtual bool read_word(void*, const std::string&) const { return false; }  // a struct that may be written as one word
};

// The kind of T, by what T is.
template <class T>
class KindOf final : public StructKind {
  std::vector<Field> fields(void* field) const final { return fields_of(*static_cast<T*>(field)); }
  bool read_word(void* field, const std::string& word) const final {
    constexpr bool kOneWord = requires(T & t) {
      read_scalar(t, word);
    };
    if constexpr (kOneWord) read_scalar(*static_cast<T*>(field), word);
    return kOneWord;
  }
};

template <class T>
requires std::is_enum_v<T>
class KindOf<T> final : public EnumKind {
  std::vector<std::string> words() const final { return words_of<T>(); }
  void choose(void* field, std::size_t word) const final { *static_cast<T*>(field) = names(T{})[word].first; }
  std::string_view word(const void* field) const final { return to_word(*static_cast<const T*>(field)); }
};

template <class T>
class KindOf<std::optional<T>> final : public OptionalKind {
 public:
  KindOf() : OptionalKind(kind_of<T>()) {}

 private:
  using Value = std::optional<T>;
  void reset(void* field) const final { static_cast<Value*>(field)->reset(); }
  void* emplace(void* field) const final { return &static_cast<Value*>(field)->emplace(); }
  const void* value(const void* field) const final {
    const auto* value = static_cast<const Value*>(field);
    return *value ? &**value : nullptr;
  }
};

template <class T>
class KindOf<std::vector<T>> final : public ListKind {
 public:
  KindOf() : ListKind(kind_of<T>()) {}

 private:
  using List = std::vector<T>;
  void clear(void* field) const final { static_cast<List*>(field)->clear(); }
  void* append(void* field) const final { return &static_cast<List*>(field)->emplace_back(); }
  std::vector<const void*> items(const void* field) const final {
    std::vector<const void*> items;
    for (const T& item : *static_cast<const List*>(field)) items.push_back(&item);
    return items;
  }
  std::shared_ptr<void> default_item() const final { return std::make_shared<T>(); }
};

template <class T>
class KindOf<NamedList<T>> final : public NamedListKind {
 public:
  KindOf() : NamedListKind(kind_of<T>()) {}

 private:
  using List = NamedList<T>;
  void clear(void* field) const final { static_cast<List*>(field)->clear(); }
  void* append(void* field, const std::string& name) const final {
    return &static_cast<List*>(field)->emplace_back(name, T{}).second;
  }
  std::vector<std::pair<std::string, const void*>> items(const void* field) const final {
    std::vector<std::pair<std::string, const void*>> items;
    for (const auto& [name, item] : *static_cast<const List*>(field)) items.emplace_back(name, &item);
    return items;
  }
  std::shared_ptr<void> default_item() const final { return std::make_shared<T>(); }
};

}  // namespace fields_detail

template <class T>
const Kind& kind_of() {
  static const fields_detail::KindOf<T> kind;
  return kind;
}

}  // namespace btm
