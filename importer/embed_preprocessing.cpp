#include "importer/embed_preprocessing.h"

#include <algorithm>
#include <numbers>

#include "importer/metadata.h"
#include "importer/preprocessing_json.h"
#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/comparison.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

constexpr const char* kLastStep = "preprocess.normalised";

/// Appends nodes whose shapes follow from the picture's size, which is open.
class Builder {
 public:
  explicit Builder(Graph& graph) : graph_(graph) {}

  ValueId add(const char* what, OperatorPtr op, std::vector<ValueId> inputs) {
    const std::string name = graph_.unused_name("preprocess." + std::string(what));
    graph_.append_node(name, std::move(op), std::move(inputs), {name});
    return graph_.nodes.back().outputs[0];
  }
  ValueId binary(const char* what, Binary::Kind kind, ValueId a, ValueId b) {
    return add(what, make_binary(kind), {a, b});
  }
  ValueId whole(const char* what, int64_t value) { return constant(what, Tensor::of<int64_t>({}, {value})); }
  ValueId real(const char* what, float value) { return constant(what, Tensor::of<float>({}, {value})); }
  ValueId constant(const char* what, Tensor tensor) {
    return graph_.add_constant(graph_.unused_name("preprocess." + std::string(what)), std::move(tensor));
  }
  ValueId to_float(ValueId x) { return add("float", std::make_shared<Cast>(), {x}); }
  ValueId gather(const char* what, ValueId x, ValueId index, int64_t axis) {
    auto op = std::make_shared<Gather>();
    op->axis = axis;
    return add(what, op, {x, index});
  }
  ValueId transpose(const char* what, ValueId x, std::vector<int64_t> permutation) {
    auto op = std::make_shared<Transpose>();
    op->permutation = std::move(permutation);
    return add(what, op, {x});
  }
  ValueId compared(const char* what, Comparison::Kind kind, ValueId a, ValueId c) {
    return add(what, make_comparison(kind), {a, c});
  }
  ValueId where(const char* what, ValueId condition, ValueId yes, ValueId no) {
    return add(what, std::make_shared<Where>(), {condition, yes, no});
  }
  /// To the nearest whole number, halves upwards, as resizing in 8 bits rounds.
  ValueId rounded(const char* what, ValueId x) {
    return add(what, make_unary(Unary::Kind::floor), {binary("half_up", Binary::Kind::add, x, real("half", 0.5f))});
  }

 private:
  Graph& graph_;
};

using B = Binary::Kind;

struct Size {
  ValueId height, width;  // int64 scalars
};

/// Both sides as long as a short side would be, in the crop's proportions.
Size squashed_size(Builder& b, const Preprocessing& p) {
  const int64_t side = std::min(p.crop_height, p.crop_width), wanted = std::max(side, p.resize);
  return {b.whole("squashed_height", p.crop_height * wanted / side),
          b.whole("squashed_width", p.crop_width * wanted / side)};
}

/// The size before the crop: short side `resize`, then enlarged as far as the crop needs it.
Size cropped_size(Builder& b, const Size& picture, const Preprocessing& p) {
  const ValueId ch = b.whole("crop_height", p.crop_height), cw = b.whole("crop_width", p.crop_width),
                two = b.whole("two", 2);
  Size s = picture;
  if (p.resize > 0) {
    const ValueId resize = b.whole("resize", p.resize),
                  shorter = b.binary("shorter", B::min, picture.height, picture.width);
    s.height = b.binary("scaled_height", B::div, b.binary("height_times", B::mul, resize, picture.height), shorter);
    s.width = b.binary("scaled_width", B::div, b.binary("width_times", B::mul, resize, picture.width), shorter);
    const ValueId one = b.whole("one", 1);
    s = {b.binary("scaled_height", B::max, s.height, one), b.binary("scaled_width", B::max, s.width, one)};
  }
  // ⌊(2·a·c + d) / 2d⌋: a·c/d to the nearest
  const auto in_proportion = [&](ValueId a, ValueId c, ValueId d) {
    const ValueId twice = b.binary("twice", B::mul, b.binary("product", B::mul, a, c), two);
    return b.binary("in_proportion", B::div, b.binary("dividend", B::add, twice, d),
                    b.binary("divisor", B::mul, d, two));
  };
  return {b.binary("grown_height", B::max, b.binary("least_height", B::max, s.height, ch),
                   in_proportion(s.height, cw, s.width)),
          b.binary("grown_width", B::max, b.binary("least_width", B::max, s.width, cw),
                   in_proportion(s.width, ch, s.height))};
}

/// The size before the crop; a picture of the crop's own size stays, unless it is always to be resized. In whole
/// numbers, as CenterCrop in augment/ has it.
Size scaled_size(Builder& b, const Size& picture, const Preprocessing& p) {
  const Size scaled = p.fit == Fit::squash ? squashed_size(b, p) : cropped_size(b, picture, p);
  if (p.always_resize) return scaled;
  const ValueId ch = b.whole("crop_height", p.crop_height), cw = b.whole("crop_width", p.crop_width);
  const ValueId fits = b.compared("fits", Comparison::Kind::logical_and,
                                  b.compared("equal", Comparison::Kind::equal, picture.height, ch),
                                  b.compared("equal", Comparison::Kind::equal, picture.width, cw));
  return {b.where("new_height", fits, ch, scaled.height), b.where("new_width", fits, cw, scaled.width)};
}

/// A filter's weight at `r` ≥ 0, a distance in pixels of the smaller picture: augment/pixels/resize.cpp has the same.
ValueId filter_weight(Builder& b, Interpolation interpolation, ValueId r) {
  const auto times = [&](ValueId x, ValueId y) { return b.binary("times", B::mul, x, y); };
  const auto plus = [&](ValueId x, float v) { return b.binary("plus", B::add, x, b.real("addend", v)); };
  const auto below = [&](float limit, ValueId yes, ValueId no) {
    return b.where("within", b.compared("below", Comparison::Kind::less, r, b.real("limit", limit)), yes, no);
  };
  const ValueId zero = b.real("zero", 0);
  if (interpolation == Interpolation::bicubic) {
    constexpr float a = -0.5f;
    const ValueId slope = plus(times(r, b.real("a_plus_2", a + 2)), -(a + 3));
    const ValueId inner = plus(times(times(slope, r), r), 1);
    const ValueId outer = times(plus(times(plus(times(plus(r, -5), r), 8), r), -4), b.real("a", a));
    return below(1, inner, below(2, outer, zero));
  }
  if (interpolation == Interpolation::lanczos) {
    const auto sinc = [&](float stretch) {
      // At 0 the quotient is of two numbers alike, which float32 divides to 1.
      const ValueId x =
          b.binary("angle", B::max, times(r, b.real("pi", std::numbers::pi_v<float> / stretch)), b.real("tiny", 1e-6f));
      return b.binary("sinc", B::div, b.add("sine", make_unary(Unary::Kind::sin), {x}), x);
    };
    return below(3, times(sinc(1), sinc(3)), zero);
  }
  return b.binary("triangle", B::max, b.binary("slope", B::sub, b.real("one", 1), r), zero);
}

/// crop × extent: each row holds the filter of one pixel of the crop, as wide as the picture shrinks (antialiasing).
ValueId filter_matrix(Builder& b, ValueId extent, ValueId scaled, int64_t crop, Interpolation interpolation) {
  const ValueId one = b.real("one", 1), half = b.real("half", 0.5f);
  const ValueId real_scaled = b.to_float(scaled);
  // Python's round, which torchvision's CenterCrop uses: halves to even, as ONNX's.
  const ValueId margin = b.binary("margin", B::sub, real_scaled, b.real("crop", static_cast<float>(crop)));
  const ValueId first = b.add("first", make_unary(Unary::Kind::round), {b.binary("half_margin", B::mul, margin, half)});
  Tensor places(DType::f32, {crop, 1});
  for (int64_t i = 0; i < crop; ++i) places.data<float>()[static_cast<size_t>(i)] = static_cast<float>(i) + 0.5f;
  const ValueId scale = b.binary("scale", B::div, b.to_float(extent), real_scaled);
  const ValueId centre =
      b.binary("centre", B::mul, b.binary("place", B::add, b.constant("places", std::move(places)), first), scale);
  const ValueId reach = b.binary("reach", B::max, scale, one);
  const ValueId range = b.add("range", std::make_shared<Range>(), {b.whole("start", 0), extent, b.whole("step", 1)});
  if (interpolation == Interpolation::nearest) {
    const ValueId nearest = b.add("nearest", make_unary(Unary::Kind::floor), {centre});
    return b.to_float(b.compared("chosen", Comparison::Kind::equal, b.to_float(range), nearest));
  }
  const ValueId pixel = b.binary("pixel", B::add, b.to_float(range), half);
  const ValueId distance = b.add("distance", make_unary(Unary::Kind::abs), {b.binary("offset", B::sub, pixel, centre)});
  const ValueId weight = filter_weight(b, interpolation, b.binary("relative", B::div, distance, reach));
  auto sum = std::make_shared<Reduce>();
  sum->kind = Reduce::Kind::sum;
  sum->axes = {1};
  return b.binary("filter", B::div, weight, b.add("sum", sum, {weight}));
}

/// 8-bit luma of N×3×h×w in whole numbers below 2²⁴, which float32 holds exactly.
ValueId grey(Builder& b, ValueId x) {
  const ValueId parts =
      b.binary("luma", B::mul, x, b.constant("luma_weights", Tensor::of<float>({3, 1, 1}, {19595, 38470, 7471})));
  auto sum = std::make_shared<Reduce>();
  sum->kind = Reduce::Kind::sum;
  sum->axes = {1};
  return b.rounded("grey",
                   b.binary("shift", B::mul, b.add("luma_sum", sum, {parts}), b.real("shift_by", 1.0f / 65536)));
}

Tensor per_channel(const std::array<float, 3>& values, bool one) {
  if (one) return Tensor::of<float>({1, 1, 1}, {values[0]});
  return Tensor::of<float>({3, 1, 1}, {values[0], values[1], values[2]});
}

}  // namespace

void embed_preprocessing(OnnxModel& model) {
  if (!model.metadata.preprocessing)
    throw Error("the model does not say how its pictures are prepared", "give it").about("preprocess");
  const Preprocessing p = *model.metadata.preprocessing;
  if (p.fit == Fit::letterbox)
    throw Error("letterboxed pictures cannot be made inside the graph", "use crop or squash", ErrorCode::unsupported)
        .about("fit");
  Graph& graph = model.graph;
  const size_t before = graph.nodes.size();
  const ValueId network_input = graph.inputs.at(0);
  const ValueId picture = graph.add_input(graph.unused_name("picture"), DType::u8, {kOpenDim, kOpenDim, kOpenDim, 3});
  graph.inputs.pop_back();
  graph.inputs[0] = picture;

  Builder b(graph);
  const ValueId shape = b.add("shape", std::make_shared<ShapeOf>(), {picture});
  const Size size{b.gather("height", shape, b.whole("index", 1), 0), b.gather("width", shape, b.whole("index", 2), 0)};
  const Size scaled = scaled_size(b, size, p);
  const ValueId planes = b.transpose("planes", b.to_float(picture), {0, 3, 1, 2});
  // Across, then down, each to 8 bits, as Pillow does it.
  const ValueId across =
      b.transpose("across", filter_matrix(b, size.width, scaled.width, p.crop_width, p.interpolation), {1, 0});
  // Filters with negative lobes leave the range, and each pass is cut to it.
  const auto levels = [&](const char* what, ValueId x) {
    const ValueId rounded = b.rounded(what, x);
    if (p.interpolation == Interpolation::nearest || p.interpolation == Interpolation::bilinear) return rounded;
    return b.binary("level", B::min, b.binary("level", B::max, rounded, b.real("darkest", 0)), b.real("lightest", 255));
  };
  const ValueId narrow = levels("narrow", b.add("resize_across", std::make_shared<MatMul>(), {planes, across}));
  const ValueId down = filter_matrix(b, size.height, scaled.height, p.crop_height, p.interpolation);
  ValueId x = levels("resized", b.add("resize_down", std::make_shared<MatMul>(), {down, narrow}));
  const bool one = p.colour == Preprocessing::Colour::grey;
  if (p.colour == Preprocessing::Colour::bgr)
    x = b.gather("bgr", x, b.constant("order", Tensor::of<int64_t>({3}, {2, 1, 0})), 1);
  if (one) x = grey(b, x);
  x = b.binary("scaled", B::mul, x, b.real("pixel_scale", p.scale));
  x = b.binary("centred", B::sub, x, b.constant("mean", per_channel(p.mean, one)));
  graph.append_node(graph.unused_name(kLastStep), make_binary(B::div), {x, b.constant("std", per_channel(p.std, one))},
                    {});
  graph.nodes.back().outputs = {network_input};
  std::rotate(graph.nodes.begin(), graph.nodes.begin() + static_cast<int64_t>(before), graph.nodes.end());

  model.metadata.other[kEmbeddedPreprocessing] = to_json(p);
  model.metadata.preprocessing.reset();
}

void take_out_preprocessing(OnnxModel& model) {
  Graph& graph = model.graph;
  const auto said = model.metadata.other.find(kEmbeddedPreprocessing);
  const auto last =
      std::find_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) { return node.name == kLastStep; });
  if (said == model.metadata.other.end() || last == graph.nodes.end() || graph.inputs.size() != 1) return;
  const Preprocessing p = preprocessing_from_json(said->second);
  const ValueId network_input = last->outputs.at(0);
  Value& input = graph.value(network_input);
  input.dtype = DType::f32;
  input.shape = {kOpenDim, p.colour == Preprocessing::Colour::grey ? 1 : 3, p.crop_height, p.crop_width};
  graph.nodes.erase(last);
  graph.inputs[0] = network_input;
  remove_dead_code(graph);
  model.metadata.preprocessing = p;
  model.metadata.other.erase(said);
}

}  // namespace graft
