#include "btm/core/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace btm {
namespace {

TEST(Crc32c, ExamplesOfTheStandard) {  // RFC 3720, appendix B.4
  std::string counting;
  for (char c = 0; c < 32; ++c) counting += c;
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(counting), 0x46DD794Eu);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

}  // namespace
}  // namespace btm
