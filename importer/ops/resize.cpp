#include "runtime/ops/resize.h"

#include "importer/op_table.h"

namespace graft {
namespace {

template <typename Enum, size_t n>
Enum choice(NodeReader& node, const char* name, const std::array<const char*, n>& names, Enum otherwise) {
  const std::string text = node.text(name, "");
  if (text.empty()) return otherwise;
  for (size_t i = 0; i < n; ++i)
    if (text == names[i]) return static_cast<Enum>(i);
  throw Error(std::string(name) + " \"" + text + "\" is unknown");
}

constexpr std::array kModes{"nearest", "linear", "cubic"};
constexpr std::array kCoordinates{"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                  "align_corners", "asymmetric",           "tf_crop_and_resize"};
constexpr std::array kNearest{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
constexpr std::array kPolicies{"stretch", "not_larger", "not_smaller"};

std::vector<float> floats(const Tensor& tensor) {
  const Tensor converted = cast(tensor, DType::f32);
  return {converted.data<float>().begin(), converted.data<float>().end()};
}

/// Emits the operator with scales or sizes from these inputs (or SIZE_MAX), at once where they are known already.
void emit_with_target(NodeReader& node, const std::shared_ptr<Resize>& op, size_t scales, size_t sizes) {
  std::vector<ValueId> inputs{node.input(0)};
  const auto given = [&](size_t i) { return i != SIZE_MAX && node.has_input(i); };
  if (given(scales)) {
    if (const Tensor* known = node.constant(scales))
      op->scales = floats(*known);
    else
      inputs.push_back(node.input(scales));
  }
  if (given(sizes)) {
    if (const Tensor* known = node.constant(sizes))
      op->sizes = to_int64s(*known);
    else
      inputs.push_back(node.input(sizes));
  }
  const size_t targets = inputs.size() - 1 + !op->scales.empty() + !op->sizes.empty();
  if (targets != 1) throw Error("needs either scales or sizes");
  node.emit(op, inputs);
}

void read_resize(NodeReader& node) {
  auto op = std::make_shared<Resize>();
  op->mode = choice(node, "mode", kModes, Resize::Mode::nearest);
  if (node.opset() < 11) {  // scales are the second input; nearest rounds down
    op->coordinates = Resize::Coordinates::asymmetric;
    op->nearest = Resize::Nearest::floor;
    return emit_with_target(node, op, 1, SIZE_MAX);
  }
  op->coordinates = choice(node, "coordinate_transformation_mode", kCoordinates, Resize::Coordinates::half_pixel);
  op->nearest = choice(node, "nearest_mode", kNearest, Resize::Nearest::round_prefer_floor);
  op->policy = choice(node, "keep_aspect_ratio_policy", kPolicies, Resize::Policy::stretch);
  op->antialias = node.integer("antialias", 0) != 0;
  op->exclude_outside = node.integer("exclude_outside", 0) != 0;
  op->cubic = node.real("cubic_coeff_a", -0.75f);
  op->extrapolation = node.real("extrapolation_value", 0);
  op->axes = node.integers("axes");
  if (op->coordinates == Resize::Coordinates::tf_crop_and_resize && node.has_input(1)) {
    const Tensor* region = node.constant(1);
    if (!region) throw Error("the region depends on the data");
    op->region = floats(*region);
  }
  emit_with_target(node, op, 2, 3);
}

void read_upsample(NodeReader& node) {
  auto op = std::make_shared<Resize>();
  op->mode = choice(node, "mode", kModes, Resize::Mode::nearest);
  op->coordinates = Resize::Coordinates::asymmetric;
  op->nearest = Resize::Nearest::floor;
  op->scales = node.reals("scales");
  emit_with_target(node, op, op->scales.empty() ? 1 : SIZE_MAX, SIZE_MAX);
}

/// Sizes of some dimensions, with those of the others taken from the input: opset 17 wants all. Returns their name.
std::string all_sizes(const Resize& op, NodeWriter& node) {
  const int64_t rank = node.input_shape(0).rank();
  const std::string extents = node.helper("Shape", {node.name_of(node.node().inputs[0])}, "extents");
  std::vector<std::string> sizes;
  for (int64_t i = 0; i < rank; ++i) {
    const std::string suffix = "size" + std::to_string(i);
    size_t given = 0;
    while (given < op.axes.size() && resolve_axis(op.axes[given], rank) != i) ++given;
    sizes.push_back(given < op.axes.size()
                        ? node.constant(suffix, Tensor::of<int64_t>({1}, {op.sizes[given]}))
                        : node.helper("Slice",
                                      {extents, node.constant(suffix + "_from", Tensor::of<int64_t>({1}, {i})),
                                       node.constant(suffix + "_to", Tensor::of<int64_t>({1}, {i + 1}))},
                                      suffix));
  }
  std::string name = node.helper("Concat", sizes, "sizes");
  node.set("axis", int64_t{0});
  return name;
}

void write(const Resize& op, NodeWriter& node) {
  const bool some_axes = !op.axes.empty();
  if (op.antialias || op.policy != Resize::Policy::stretch || (some_axes && (op.sizes.empty() || !op.region.empty())) ||
      op.coordinates == Resize::Coordinates::half_pixel_symmetric) {
    throw Error("this form of Resize is younger than opset 17");
  }
  const std::string sizes = some_axes ? all_sizes(op, node) : "";
  onnx::NodeProto& proto = node.begin("", 1);
  if (op.region.empty())
    node.add_absent_input();
  else
    node.add_input("region", Tensor::copy_of<float>({static_cast<int64_t>(op.region.size())}, op.region));
  if (op.sizes.empty() && op.scales.empty()) {
    if (node.graph().value(node.node().inputs[1]).dtype != DType::f32) node.add_absent_input();
    proto.add_input(node.name_of(node.node().inputs[1]));
  } else if (op.sizes.empty()) {
    node.add_input("scales", Tensor::copy_of<float>({static_cast<int64_t>(op.scales.size())}, op.scales));
  } else {
    node.add_absent_input();
    if (some_axes)
      proto.add_input(sizes);
    else
      node.add_input("sizes", op.sizes);
  }
  node.set("mode", kModes[static_cast<size_t>(op.mode)]);
  node.set("coordinate_transformation_mode", kCoordinates[static_cast<size_t>(op.coordinates)]);
  node.set("nearest_mode", kNearest[static_cast<size_t>(op.nearest)]);
  node.set("exclude_outside", int64_t{op.exclude_outside});
  node.set("cubic_coeff_a", op.cubic);
  node.set("extrapolation_value", op.extrapolation);
}

}  // namespace

void map_resize(OpTable& table) {
  table.read("Resize", read_resize);
  table.read("Upsample", read_upsample);
  table.write<Resize>(write);
}

}  // namespace graft
