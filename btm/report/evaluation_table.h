// results/evaluation.json for people.
#pragma once

#include <cstdio>
#include <string>

#include "btm/core/settings.h"

namespace btm {

enum class TableStyle { plain, terminal, markdown };  // terminal and markdown show the best of each column bold

TableStyle table_style(std::FILE* stream);  // terminal or plain

// A row per model: means of perplexity and bits per byte over train, novel and all domains, training compute, experts
// and tokens per second; a line below says what was measured. Then a row per training: updates, their speed, and the
// bytes that the workers of a distributed run would add up between them for each. 120 columns at most, unless names are
// long.
std::string evaluation_table(const Json& evaluation, TableStyle style);

// A row per domain, a column per model: perplexity. In blocks of models that fit into 120 columns; Markdown in one.
std::string domain_table(const Json& evaluation, TableStyle style);

std::string evaluation_markdown(const Json& evaluation);  // both with headings

}  // namespace btm
