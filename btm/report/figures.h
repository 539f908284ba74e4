// Plots with their files.
#pragma once

#include "btm/report/lineage_plot.h"
#include "btm/report/plot.h"
#include "btm/report/report.h"

namespace btm {

// The plot drawn, and its numbers as CSV: a line per point, dot, cell or arrow.
Figure figure_of(const std::string& name, const LinePlot& plot);
Figure figure_of(const std::string& name, const DotPlot& plot);
Figure figure_of(const std::string& name, const HeatMap& plot);
Figure figure_of(const std::string& name, const LineagePlot& plot);

}  // namespace btm
