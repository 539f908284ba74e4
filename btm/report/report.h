// What is reported, before it becomes a page or files.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "btm/core/settings.h"
#include "btm/report/data_table.h"
#include "btm/report/drawing.h"

namespace btm {

struct Figure {
  std::string name;  // of the files, without extension
  std::string title;
  std::string caption;  // how to read it
  Drawing page;         // for the page
  Drawing file;         // the same without what the page hides at first
  std::string csv;
};

struct Section {
  std::string title;
  std::string note;
  std::vector<Figure> figures;
  std::vector<DataTable> tables;
  bool alternatives = false;  // its figures are views of one thing: the page shows one at a time
};

struct Highlight {
  std::string label, value, note;
};

struct Report {
  std::string title;
  std::string facts;  // one line below the title
  std::vector<Highlight> highlights;
  std::vector<Section> sections;
};

// results/evaluation.json and forest.json of a forest, null where there is none; study.json of studies.
struct Results {
  Json evaluation, forest;
  std::vector<Json> studies;
};

// Sections for what is there. Throws Error(input) for results that are not as docs/formats.md says, or if there is
// nothing to report.
Report make_report(const std::string& title, const Results& results);

}  // namespace btm
