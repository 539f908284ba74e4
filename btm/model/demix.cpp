#include "btm/model/demix.h"

#include <algorithm>
#include <unordered_map>

namespace btm {
namespace {

// Slices of the plain model, and for each of them where domain `domain` has it.
struct Place {
  ParameterSlice plain;
  std::int64_t offset;
};

// The feed-forwards of the domains lie one after the other, each in the order of the plain model.
std::vector<Place> places_of(const ModelConfig& config, int domain) {
  std::vector<Place> places;
  std::int64_t next = parameter_count(config) + (domain - 1) * feed_forward_parameters(config);
  for (const ParameterSlice& slice : parameter_layout(config)) {
    const bool own = domain > 0 && slice.feed_forward;
    places.push_back({slice, own ? next : slice.offset});
    if (own) next += slice.size;
  }
  return places;
}

}  // namespace

std::int64_t feed_forward_parameters(const ModelConfig& config) {
  std::int64_t sum = 0;
  for (const ParameterSlice& slice : parameter_layout(config)) sum += slice.feed_forward ? slice.size : 0;
  return sum;
}

DemixLayout::DemixLayout(const ModelConfig& config, int domains) : slices(parameter_layout(config)) {
  for (int domain = 0; domain < domains; ++domain) {
    std::unordered_map<std::int64_t, std::int64_t> moved;
    for (const Place& place : places_of(config, domain)) {
      moved[place.plain.offset] = place.offset;
      if (place.offset == place.plain.offset) continue;
      ParameterSlice slice = place.plain;
      slice.name = fmt::format("domain.{}.{}", domain, slice.name);
      slice.offset = place.offset;
      slices.push_back(slice);
    }
    WeightOffsets own = weight_offsets(config);
    for (BlockOffsets& block : own.blocks) {
      for (std::int64_t* offset : {&block.up.weight, &block.up.bias, &block.down.weight, &block.down.bias}) {
        if (*offset != kAbsent) *offset = moved.at(*offset);
      }
    }
    offsets.push_back(std::move(own));
  }
  size = slices.back().offset + slices.back().size;
}

Buffer demix_parameters(const DemixLayout& layout, const Model& plain) {
  Buffer parameters(static_cast<std::size_t>(layout.size));
  for (std::size_t domain = 0; domain < layout.offsets.size(); ++domain) {
    for (const Place& place : places_of(plain.config, static_cast<int>(domain))) {
      std::copy_n(plain.parameters.data() + place.plain.offset, place.plain.size, parameters.data() + place.offset);
    }
  }
  return parameters;
}

Model demix_model(const DemixLayout& layout, const Model& demix, int domain) {
  if (static_cast<std::int64_t>(demix.parameters.size()) != layout.size) {
    throw failure("a DEMix model of {} parameters, not {}", demix.parameters.size(), layout.size);
  }
  Model model{demix.config, Buffer(static_cast<std::size_t>(parameter_count(demix.config)))};
  for (const Place& place : places_of(demix.config, domain)) {
    std::copy_n(demix.parameters.data() + place.offset, place.plain.size, model.parameters.data() + place.plain.offset);
  }
  return model;
}

}  // namespace btm
