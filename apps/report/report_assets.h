#pragma once

namespace graft::app {

// What every report holds besides its data: report.css and report.js of this folder, and Chart.js, made into text when
// graft is built.
extern const char* const kReportStyle;
extern const char* const kReportScript;
extern const char* const kChartScript;

}  // namespace graft::app
