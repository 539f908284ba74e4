// Qualities and sizes of models with as many digits as mean something.
#pragma once

#include <string>

namespace btm {

std::string perplexity_text(double value);  // "38.84", "108.3", "1023"
std::string bits_text(double value);        // "0.971"; also for nats
std::string bytes_text(double value);       // "1.73MB"

}  // namespace btm
