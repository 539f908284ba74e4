// DEMix (Gururangan et al. 2021, arXiv 2108.05036): in every layer a feed-forward network per domain, all other
// parameters shared. Each domain sees a plain Transformer whose feed-forwards lie elsewhere in the flat parameters.
#pragma once

#include <cstdint>
#include <vector>

#include "btm/model/parameters.h"
#include "btm/model/weight_offsets.h"

namespace btm {

struct DemixLayout {
  DemixLayout(const ModelConfig& config, int domains);

  std::vector<ParameterSlice> slices;  // the plain model's, then the feed-forwards of the second domain on
  std::vector<WeightOffsets> offsets;  // [domains], of the plain model that each of them sees
  std::int64_t size = 0;               // floats in all
};

// The parameters of all domains' models, whose feed-forwards begin as copies of the plain model's. [layout.size]
Buffer demix_parameters(const DemixLayout& layout, const Model& plain);

// The plain model that a domain sees; a copy.
Model demix_model(const DemixLayout& layout, const Model& demix, int domain);

// Of a plain model: the parameters of its feed-forward networks.
std::int64_t feed_forward_parameters(const ModelConfig& config);

}  // namespace btm
