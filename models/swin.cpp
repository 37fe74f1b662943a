// Swin transformers [Liu et al. 2021], with torchvision's names of parameters.
#include <algorithm>

#include "models/attention.h"
#include "models/registry.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

constexpr int64_t kWindow = 7, kPlaces = kWindow * kWindow;

struct Configuration {
  std::vector<int64_t> depths, heads;
  int64_t width;
};

/// Rows and columns of N×H×W×C moved round by `by`.
ValueId rolled(NetworkBuilder& net, const std::string& name, ValueId x, int64_t by) {
  for (const int64_t axis : {1, 2}) {
    const std::string own = name + std::to_string(axis);
    const int64_t extent = net.shape(x)[static_cast<size_t>(axis)], cut = by > 0 ? extent - by : -by;
    auto join = std::make_shared<Concat>();
    join->axis = axis;
    x = net.graph().add(own, join,
                        {net.slice(own + ".back", x, axis, cut, extent), net.slice(own + ".front", x, axis, 0, cut)});
  }
  return x;
}

/// For each pair of places of a window, which row of the table of biases it takes.
ValueId relative_places(NetworkBuilder& net, const std::string& name) {
  Tensor index(DType::i64, {kPlaces * kPlaces});
  for (int64_t i = 0; i < kPlaces; ++i)
    for (int64_t j = 0; j < kPlaces; ++j) {
      const int64_t rows = i / kWindow - j / kWindow + kWindow - 1, columns = i % kWindow - j % kWindow + kWindow - 1;
      index.data<int64_t>()[static_cast<size_t>(i * kPlaces + j)] = rows * (2 * kWindow - 1) + columns;
    }
  return net.graph().add_constant(name + ".relative_position_index", std::move(index));
}

/// Windows over the seam of a rolled picture hold places that are no neighbours: 1×windows×1×places×places.
Tensor seam_mask(int64_t side, int64_t shift) {
  const auto region = [&](int64_t at) { return at < side - kWindow ? 0 : at < side - shift ? 1 : 2; };
  const int64_t across = side / kWindow;
  Tensor mask(DType::i8, {1, across * across, 1, kPlaces, kPlaces});
  auto to = mask.data<int8_t>().begin();
  for (int64_t window = 0; window < across * across; ++window) {
    const auto of = [&](int64_t place) {
      const int64_t row = window / across * kWindow + place / kWindow,
                    column = window % across * kWindow + place % kWindow;
      return 3 * region(row) + region(column);
    };
    for (int64_t i = 0; i < kPlaces; ++i)
      for (int64_t j = 0; j < kPlaces; ++j) *to++ = of(i) == of(j) ? 0 : -100;
  }
  return mask;
}

/// Attention within windows of x (N×H×W×C), which are moved by `shift`.
ValueId window_attention(NetworkBuilder& net, const std::string& name, ValueId x, int64_t heads, int64_t shift) {
  const int64_t side = net.shape(x)[1], width = net.shape(x)[3], across = side / kWindow, windows = across * across;
  if (shift > 0) x = rolled(net, name + ".rolled", x, -shift);
  x = net.reshape(name + ".cut", x, {0, across, kWindow, across, kWindow, width});
  x = net.reshape(name + ".windows", net.transpose(name + ".grouped", x, {0, 1, 3, 2, 4, 5}), {-1, kPlaces, width});
  const ValueId table = net.drawn_parameter(name + ".relative_position_bias_table",
                                            {(2 * kWindow - 1) * (2 * kWindow - 1), heads}, 0.02f);
  const ValueId taken =
      net.graph().add(name + ".biases", std::make_shared<Gather>(), {table, relative_places(net, name)});
  const ValueId bias =
      net.reshape(name + ".bias",
                  net.transpose(name + ".bias.heads",
                                net.reshape(name + ".bias.pairs", taken, {kPlaces, kPlaces, heads}), {2, 0, 1}),
                  {1, heads, kPlaces, kPlaces});
  x = self_attention(net, name, x, heads, [&](ValueId scores) {
    scores = net.add(name + ".biased", scores, bias);
    if (shift == 0) return scores;
    // Bytes until it runs: no number that is learnt.
    const ValueId bytes = net.graph().add_constant(name + ".mask.bytes", seam_mask(side, shift));
    const ValueId mask = net.graph().add(name + ".mask", std::make_shared<Cast>(), {bytes});
    const ValueId apart = net.reshape(name + ".apart", scores, {-1, windows, heads, kPlaces, kPlaces});
    return net.reshape(name + ".masked", net.add(name + ".seam", apart, mask), {-1, heads, kPlaces, kPlaces});
  });
  x = net.reshape(name + ".grid", x, {-1, across, across, kWindow, kWindow, width});
  x = net.reshape(name + ".together", net.transpose(name + ".rows", x, {0, 1, 3, 2, 4, 5}), {-1, side, side, width});
  return shift > 0 ? rolled(net, name + ".unrolled", x, shift) : x;
}

ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t heads, int64_t shift) {
  const int64_t width = net.shape(x)[3];
  x = net.add(name + ".attended", x,
              window_attention(net, name + ".attn", net.layer_norm(name + ".norm1", x), heads, shift));
  ValueId y = net.linear(name + ".mlp.0", net.layer_norm(name + ".norm2", x), 4 * width);
  y = net.linear(name + ".mlp.3", net.activation(name + ".mlp.1", y, NetworkBuilder::Activation::gelu), width);
  return net.add(name + ".out", x, y);
}

/// Every two by two places become one of twice the width.
ValueId merged(NetworkBuilder& net, const std::string& name, ValueId x) {
  const int64_t side = net.shape(x)[1] / 2, width = net.shape(x)[3];
  // Rows change fastest, as in the published code: (0, 0), (1, 0), (0, 1), (1, 1).
  x = net.transpose(name + ".near", net.reshape(name + ".pairs", x, {0, side, 2, side, 2, width}), {0, 1, 3, 4, 2, 5});
  x = net.layer_norm(name + ".norm", net.reshape(name + ".wide", x, {-1, side, side, 4 * width}));
  return net.linear(name + ".reduction", x, 2 * width, false);
}

Graph build(const Configuration& c, const ArchitectureOptions& o) {
  NetworkBuilder net(o.seed, o.initialise);
  net.convolutions = net.denses = {Initialiser::Kind::gaussian, 0.02f};
  ValueId x = net.convolution("features.0.0", net.picture(3, 224, 224), c.width,
                              {.kernel = {4, 4}, .stride = 4, .bias = true, .valid = true});
  x = net.layer_norm("features.0.2", net.transpose("features.0.1", x, {0, 2, 3, 1}));
  for (size_t stage = 0; stage < c.depths.size(); ++stage) {
    const std::string name = "features." + std::to_string(2 * stage + 1) + ".";
    const bool one_window = net.shape(x)[1] <= kWindow;
    for (int64_t i = 0; i < c.depths[stage]; ++i)
      x = block(net, name + std::to_string(i), x, c.heads[stage], i % 2 == 0 || one_window ? 0 : kWindow / 2);
    if (stage + 1 < c.depths.size()) x = merged(net, "features." + std::to_string(2 * stage + 2), x);
  }
  x = net.transpose("permute", net.layer_norm("norm", x), {0, 3, 1, 2});
  return net.take(net.linear("head", net.global_average("avgpool", x), o.classes_or(1000)));
}

}  // namespace

void add_swin(ArchitectureTable& table) {
  const std::vector<std::pair<std::string, Configuration>> all{
      {"swin-tiny", {{2, 2, 6, 2}, {3, 6, 12, 24}, 96}},
      {"swin-small", {{2, 2, 18, 2}, {3, 6, 12, 24}, 96}},
      {"swin-base", {{2, 2, 18, 2}, {4, 8, 16, 32}, 128}},
  };
  for (const auto& [name, values] : all)
    table[name] = [configuration = values](const ArchitectureOptions& o) { return build(configuration, o); };
}

}  // namespace graft
