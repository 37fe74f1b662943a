#include "runtime/ops/convolution.h"

#include <algorithm>

#include "importer/op_table.h"
#include "importer/spelling.h"
#include "runtime/ops/volume_convolution.h"

namespace graft {
namespace {

/// One dimension is two of which the first has extent 1.
void read_1d(NodeReader& node) {
  Spelling spell(node);
  const std::string rows = spell.integers("rows", {2});
  std::string weight;
  if (const Tensor* known = node.constant(1)) {  // stays a parameter
    if (known->shape().rank() != 3) throw Error("weight is " + known->shape().str() + ", not outputs × inputs × taps");
    Tensor wide = known->clone();
    const Shape& shape = known->shape();
    wide.reshape({shape[0], shape[1], 1, shape[2]});
    weight = spell.constant("weight", std::move(wide));
  } else {
    weight = spell.add("Unsqueeze", "weight", {spell.input(1), rows});
  }
  Spelling::Names inputs{spell.add("Unsqueeze", "wide", {spell.input(0), rows}), weight};
  if (const std::string bias = spell.input(2); !bias.empty()) inputs.push_back(bias);
  Spelling::Attributes attributes = spell.wide_window();
  for (const auto& a : spell.own({"group"})) attributes.push_back(a);
  spell.give("Squeeze", {spell.add("Conv", "convolution", inputs, attributes), rows});
}

void read_3d(NodeReader& node) {
  auto op = std::make_shared<VolumeConvolution>();
  op->groups = node.integer("group", 1);
  const auto copy = [&](const char* name, std::array<int64_t, 3>& to) {
    const auto values = node.integers(name);
    if (values.empty()) return;
    if (values.size() != 3) throw Error(std::string(name) + " does not have three entries");
    std::copy_n(values.begin(), 3, to.begin());
  };
  copy("strides", op->stride);
  copy("dilations", op->dilation);
  const std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID")
    throw Error("auto_pad \"" + automatic + "\" is not supported in three dimensions");
  if (const auto pads = node.integers("pads"); !pads.empty() && automatic != "VALID") {
    if (pads.size() != 6) throw Error("pads does not have six entries");
    std::copy_n(pads.begin(), 3, op->before.begin());
    std::copy_n(pads.begin() + 3, 3, op->after.begin());
  }
  node.emit(op, node.inputs());
}

void read(NodeReader& node) {
  const Shape weight = node.known_shape(1);  // kernel_shape may be left out
  const auto kernel = node.integers("kernel_shape");
  const auto dimensions = weight.rank() > 2 ? weight.rank() - 2 : static_cast<int64_t>(kernel.size());
  if (dimensions == 1) return read_1d(node);
  if (dimensions == 3) return read_3d(node);
  auto op = std::make_shared<Convolution>();
  if (weight.rank() != 4 && kernel.size() != 2)
    throw Error(weight.empty() && kernel.empty()
                    ? "its weight depends on the data, and kernel_shape is not given"
                    : "only convolutions over one to three dimensions are supported; weight is " + weight.str());
  op->window = node.window(weight.rank() == 4 ? Extent2d{weight[2], weight[3]} : Extent2d{kernel[0], kernel[1]});
  op->groups = node.integer("group", 1);
  node.emit(op, node.inputs());
}

void write(const Convolution& op, NodeWriter& node) {
  if (!op.tail.empty()) throw Error("a fused convolution has no ONNX form");
  node.begin();
  node.set_window(op.window, true);
  node.set("group", op.groups);
}

}  // namespace

void map_convolution(OpTable& table) {
  table.read("Conv", read);
  table.write<Convolution>(write);
}

}  // namespace graft
