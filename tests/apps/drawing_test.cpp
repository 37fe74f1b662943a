#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/cli/progress.h"
#include "apps/drawing/chart.h"
#include "apps/drawing/heat_map.h"
#include "apps/drawing/scatter.h"
#include "apps/drawing/svg.h"
#include "apps/run/finetune_files.h"

namespace graft::app {
namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Charts, DrawALineForEachSeries) {
  const std::string svg = to_svg(
      Chart{"loss <of> a run", "epoch", {{"training", {1, 2, 3}, {3, 2, 1}}, {"validation", {1, 2, 3}, {3, NAN, 2}}}});
  EXPECT_EQ(count(svg, "<polyline"), 2u);
  EXPECT_NE(svg.find("loss &lt;of> a run"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.substr(svg.size() - 7), "</svg>\n");
}

TEST(Charts, OneConstantPointIsDrawn) {
  const std::string svg = to_svg(Chart{"flat", "epoch", {{"score", {1}, {0.5}}}});
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(ScatterTest, DrawsEveryPoint) {
  const std::string svg = to_svg(Scatter{"map", {0, 0, 1, 1, 2, 0}, {0, 1, -1}, {"a", "b"}, {"x", "y", "z"}});
  EXPECT_GE(count(svg, "<circle"), 3u);
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
}

TEST(HeatMapTest, DrawsEveryCell) {
  const std::string svg = to_svg(HeatMap{"errors", "row", "column", {"0", "1"}, {"0", "1"}, {1e-7, 1e-3, 0.5, 2}});
  EXPECT_GE(count(svg, "<rect"), 4u);
}

TEST(Svg, EscapesWhatXmlKeepsForItself) { EXPECT_EQ(svg_text("a<b&c"), "a&lt;b&amp;c"); }

TEST(ProgressTest, IsSilentWhenToldSo) {
  testing::internal::CaptureStderr();
  {
    Progress progress(/*quiet=*/true);
    progress.show("phase", 1, 1);
    progress.line("text");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ProgressTest, TellsTheEndOfAPhase) {
  testing::internal::CaptureStderr();
  {
    Progress progress(/*quiet=*/false);
    progress.show("phase", 1, 2);
    progress.show("phase", 2, 2);
    progress.line("text");
  }
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("phase 2/2"), std::string::npos);
  EXPECT_NE(told.find("text\n"), std::string::npos);
}

TEST(FinetuneJson, HoldsTheReport) {
  FinetuneReport report;
  report.classes = {"a", "b"};
  report.model = "run/model.onnx";
  report.result.best_score = 0.75;
  report.result.best_epoch = 2;
  report.result.history.resize(3);
  const auto json = to_json(report);
  EXPECT_EQ(json["best_val_top1"], 0.75);
  EXPECT_EQ(json["epochs"], 3);
  EXPECT_TRUE(json["auto"].is_null());
  EXPECT_EQ(json["task"], "classes");
  report.result.rates = {{{1e-3, 1}, {1e-2, 0.5}}, 1e-2};
  EXPECT_EQ(to_json(report)["rates_tried"], 2);
}

}  // namespace
}  // namespace graft::app
