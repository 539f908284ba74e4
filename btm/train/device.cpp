#include "btm/train/device.h"

#include "btm/core/error.h"
#include "btm/core/log.h"
#include "btm/core/settings.h"

namespace btm {

Device device_for(Device wanted, Precision precision) {
  if (wanted == Device::cpu) return wanted;
  NoGpu hindrance;
  if (precision == Precision::fp32 || precision == Precision::int16) {
    hindrance.reason = fmt::format("precision {} is for the CPU; a GPU multiplies bf16", to_word(precision));
  } else if (find_gpu(&hindrance)) {
    return Device::cuda;
  } else {
    hindrance.reason += "; see `btm doctor`";
  }
  if (wanted == Device::cuda) throw input_error("device cuda can't be used: {}", hindrance.reason);
  if (hindrance.refused) {
    [[maybe_unused]] static const bool told =
        (log_warning(fmt::format("the CPU is used, not the GPU: {}", hindrance.reason)), true);
  }
  return Device::cpu;
}

}  // namespace btm
