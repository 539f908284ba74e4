// metrics.jsonl once more, for TensorBoard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace btm {

// FOLDER/events.out.tfevents.btm: `tensorboard --logdir` takes each folder with such a file as a run of that name. Its
// bytes are a function of those of metrics.jsonl, so that a run that goes on from a checkpoint leaves no point twice.
// Written in place, unlike other files: TensorBoard keeps it open and reads what is added. What is cut off when a run
// goes on comes back with records of the same lengths (event_record.h), so that an open TensorBoard stays in step.
class EventFile {
 public:
  // Makes the folder and brings the file to hold the events of `metrics`, the whole lines of a metrics.jsonl. Throws
  // Error(input), as add() does, when it can't be written.
  EventFile(const std::filesystem::path& folder, std::string_view metrics);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void add(std::string_view metrics);  // further whole lines, with fsync, as those of metrics.jsonl

 private:
  void write(std::string_view metrics);
  void sync() const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;  // bytes
};

std::filesystem::path event_file(const std::filesystem::path& folder);

// The bytes of the file: a step for each line that says its update, with the line's time (0 where it has none).
std::string events_of(std::string_view metrics);

}  // namespace btm
