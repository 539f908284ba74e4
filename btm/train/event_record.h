// Scalars as records of a TensorBoard event file.
//
// The file is a TFRecord file (tensorflow.org/tutorials/load_data/tfrecord; tensorflow/core/lib/io/record_writer.cc):
//   u64 length | u32 masked CRC of the length | data | u32 masked CRC of the data      little-endian
//   masked CRC = rotate_right(crc32c, 15) + 0xa282ead8
// Each data is a protocol buffer (protobuf.dev/programming-guides/encoding), an Event of
// tensorflow/core/util/event.proto with a Summary of tensorflow/core/framework/summary.proto:
//   Event:   1 double wall_time | 2 int64 step | 3 string file_version | 5 Summary summary
//   Summary: repeated 1 Value;  Value: 1 string tag | 2 float simple_value
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace btm {

struct Scalar {
  std::string_view tag;
  double value = 0;  // stored as float
};

// The record that a file begins with. Times are in seconds since 1970.
std::string version_record(double wall_time);

// The length depends on nothing but the tags and the step.
std::string scalars_record(double wall_time, std::int64_t step, std::span<const Scalar> scalars);

}  // namespace btm
