#include "runtime/ops/grid_sample.h"

#include <algorithm>
#include <array>

#include "importer/op_table.h"

namespace graft {
namespace {

constexpr std::array kModes{"bilinear", "nearest", "bicubic"};    // by GridSample::Mode, up to opset 19
constexpr std::array kLaterModes{"linear", "nearest", "cubic"};   // from opset 20 on
constexpr std::array kPaddings{"zeros", "border", "reflection"};  // by GridSample::Padding

template <size_t n>
size_t place_in(const std::array<const char*, n>& names, const std::string& name) {
  return static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

void read(NodeReader& node) {
  auto op = std::make_shared<GridSample>();
  const std::string mode = node.text("mode", "linear"), padding = node.text("padding_mode", "zeros");
  const size_t by_mode = std::min(place_in(kModes, mode), place_in(kLaterModes, mode));
  if (by_mode == kModes.size()) throw Error("mode \"" + mode + "\" is unknown");
  const size_t by_padding = place_in(kPaddings, padding);
  if (by_padding == kPaddings.size()) throw Error("padding_mode \"" + padding + "\" is unknown");
  op->mode = static_cast<GridSample::Mode>(by_mode);
  op->padding = static_cast<GridSample::Padding>(by_padding);
  op->align_corners = node.integer("align_corners", 0) != 0;
  node.emit(op, node.inputs());
}

void write(const GridSample& op, NodeWriter& node) {
  node.begin();
  node.set("mode", kModes[static_cast<size_t>(op.mode)]);
  node.set("padding_mode", kPaddings[static_cast<size_t>(op.padding)]);
  node.set("align_corners", int64_t{op.align_corners});
}

}  // namespace

void map_grid_sample(OpTable& table) {
  table.read("GridSample", read);
  table.read("com.microsoft.GridSample", read);
  table.write<GridSample>(write);
}

}  // namespace graft
