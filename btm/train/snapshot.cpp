#include "btm/train/snapshot.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/log.h"
#include "btm/core/mapped_file.h"

namespace btm {
namespace {

constexpr const char* kStateFile = "state.json";

// Not as it was written. All other errors are of reading it, and no reason to give it up.
class Damaged : public Error {
  using Error::Error;
};

template <class... Args>
Damaged damaged(fmt::format_string<Args...> format, Args&&... args) {
  return {Cause::input, fmt::format(format, std::forward<Args>(args)...)};
}

void require_file(const fs::path& path) {
  if (!fs::exists(path)) throw damaged("{} is missing", path.filename().string());
}

std::string_view bytes_of(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

// Nothing is copied before all has been checked. Throws Damaged saying what is broken.
void read_arrays(const fs::path& folder, const SnapshotRecord& record, const std::vector<SnapshotArray>& arrays) {
  std::vector<MappedFile> files;
  for (const auto& array : arrays) {
    require_file(folder / array.name);
    files.emplace_back(folder / array.name);
    std::string_view bytes = files.back().bytes();
    if (bytes.size() != array.values.size_bytes()) {
      throw damaged("{} has {} bytes instead of {}", array.name, bytes.size(), array.values.size_bytes());
    }
    if (std::ranges::find(record.arrays, std::pair(array.name, snapshot_hash(bytes))) == record.arrays.end()) {
      throw damaged("{} does not match its hash", array.name);
    }
  }
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    std::memcpy(arrays[i].values.data(), files[i].bytes().data(), files[i].bytes().size());
  }
}

void write_arrays(const fs::path& folder, const RunState& state, const std::vector<SnapshotArray>& arrays) {
  Json json;
  json["state"] = settings_json(state);
  for (const auto& array : arrays) {
    write_file(folder / array.name, bytes_of(array.values));
    json["arrays"][array.name] = snapshot_hash(bytes_of(array.values));
  }
  json["xxh3"] = snapshot_hash(json.dump());
  write_file(folder / kStateFile, json.dump(2) + "\n");
}

}  // namespace

std::string snapshot_hash(std::string_view bytes) {
  return fmt::format("{:016x}", xxh3(bytes));
}

std::vector<std::int64_t> snapshots(const fs::path& checkpoints) {
  std::vector<std::int64_t> updates;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(checkpoints, none)) {
    std::string name = entry.path().filename();
    std::int64_t update = 0;
    auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), update);
    if (status == std::errc() && end == name.data() + name.size()) updates.push_back(update);
  }
  std::sort(updates.begin(), updates.end(), std::greater<>());
  return updates;
}

SnapshotRecord read_snapshot_record(const fs::path& folder) {
  require_file(folder / kStateFile);
  const std::string bytes = read_file(folder / kStateFile);
  Json json = Json::parse(bytes, nullptr, false);
  if (!json.is_object() || json.dump(2) + "\n" != bytes) throw damaged("{} is not as it was written", kStateFile);
  const Json hash = json.value("xxh3", Json());
  json.erase("xxh3");
  if (hash != Json(snapshot_hash(json.dump()))) throw damaged("{} does not match its hash", kStateFile);
  SnapshotRecord record;
  read_settings(parse_yaml(json["state"].dump(), kStateFile), record.state, kStateFile);
  for (const auto& [name, array_hash] : json["arrays"].items()) record.arrays.emplace_back(name, array_hash);
  return record;
}

void write_snapshot(const fs::path& checkpoints, const RunState& state, const std::vector<SnapshotArray>& arrays,
                    int keep) {
  make_folders(checkpoints);
  FolderWriter folder(checkpoints / std::to_string(state.update));
  write_arrays(folder.path(), state, arrays);
  folder.publish();
  int kept = 0;
  for (std::int64_t update : snapshots(checkpoints)) {
    if (++kept > keep) remove_whole(checkpoints / std::to_string(update));
  }
}

std::optional<RunState> read_snapshot(const fs::path& checkpoints, const std::vector<SnapshotArray>& arrays,
                                      const std::string& job_sha256) {
  for (std::int64_t update : snapshots(checkpoints)) {
    fs::path folder = checkpoints / std::to_string(update);
    try {
      SnapshotRecord record = read_snapshot_record(folder);
      if (record.state.job_sha256 == job_sha256) {
        read_arrays(folder, record, arrays);
        return record.state;
      }
    } catch (const Damaged& e) {
      log_warning(
          fmt::format("{}: broken checkpoint ({}), deleted; the one before it is used", folder.string(), e.what()));
      remove_whole(folder);
      continue;
    }
    throw input_error(
        "{}: this checkpoint is of another job than run.yaml now describes; put the old run.yaml back, or "
        "delete {} to train from the start",
        folder.string(), checkpoints.string());
  }
  return std::nullopt;
}

}  // namespace btm
