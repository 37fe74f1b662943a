// ShuffleNetV2 [Ma et al. 2018], table 5, with torchvision's names of parameters.
#include <cmath>
#include <iterator>

#include "models/builder.h"
#include "models/registry.h"

namespace graft {
namespace {

/// torchvision keeps PyTorch's initialisers, uniform in ±1/√fan_in; this has the same variance.
Initialiser default_initialiser(int64_t fan_in) {
  return {Initialiser::Kind::gaussian, 1 / std::sqrt(3 * static_cast<float>(fan_in))};
}

/// A convolution and its norm, the layers `index` and `index` + 1 of a sequence.
ValueId layer(NetworkBuilder& net, const std::string& sequence, int index, ValueId x, int64_t out,
              const ConvolutionOptions& options) {
  net.convolutions =
      default_initialiser(net.channels(x) / options.groups * options.kernel.height * options.kernel.width);
  const ValueId y = net.convolution(sequence + "." + std::to_string(index), x, out, options);
  return net.batch_norm(sequence + "." + std::to_string(index + 1), y);
}

/// Channels of the two halves in turn; with channels last, where a reshape leaves height and width as they come.
ValueId shuffle(NetworkBuilder& net, const std::string& name, ValueId x) {
  const int64_t channels = net.channels(x);
  const ValueId last = net.transpose(name + ".last", x, {0, 2, 3, 1});
  const ValueId halves = net.reshape(name + ".halves", last, {0, 0, 0, 2, channels / 2});
  const ValueId pairs = net.transpose(name + ".pairs", halves, {0, 1, 2, 4, 3});
  return net.transpose(name + ".first", net.reshape(name + ".shuffled", pairs, {0, 0, 0, channels}), {0, 3, 1, 2});
}

ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t out, int64_t stride) {
  const int64_t in = net.channels(x), half = out / 2;
  const std::string first = name + ".branch1", second = name + ".branch2";
  ValueId a = kNoValue, b = x;
  if (stride == 1) {
    a = net.slice(name + ".kept", x, 1, 0, half);
    b = net.slice(name + ".changed", x, 1, half, in);
  } else {
    a = layer(net, first, 0, x, in, {.kernel = {3, 3}, .stride = stride, .groups = in});
    a = net.relu(first + ".4", layer(net, first, 2, a, half, {}));
  }
  b = net.relu(second + ".2", layer(net, second, 0, b, half, {}));
  b = layer(net, second, 3, b, half, {.kernel = {3, 3}, .stride = stride, .groups = half});
  b = net.relu(second + ".7", layer(net, second, 5, b, half, {}));
  return shuffle(net, name, net.concat(name + ".concat", {a, b}));
}

Graph build(const std::vector<int64_t>& widths, const ArchitectureOptions& o) {
  constexpr int64_t kRepeats[] = {4, 8, 4};
  NetworkBuilder net(o.seed, o.initialise);
  net.torch_names = true;
  ValueId x = layer(net, "conv1", 0, net.picture(3, 224, 224), 24, {.kernel = {3, 3}, .stride = 2});
  x = net.max_pool("maxpool", net.relu("conv1.2", x), 3, 2, 1);
  for (size_t stage = 0; stage < std::size(kRepeats); ++stage)
    for (int64_t i = 0; i < kRepeats[stage]; ++i) {
      const std::string name = "stage" + std::to_string(stage + 2) + "." + std::to_string(i);
      x = block(net, name, x, widths[stage], i == 0 ? 2 : 1);
    }
  x = net.relu("conv5.2", layer(net, "conv5", 0, x, widths.back(), {}));
  net.denses = default_initialiser(widths.back());
  return net.take(net.dense("fc", net.global_average("pool", x), o.classes_or(1000)));
}

}  // namespace

void add_shufflenet_v2(ArchitectureTable& table) {
  const std::vector<std::pair<std::string, std::vector<int64_t>>> all{
      {"shufflenet-v2-0.5", {48, 96, 192, 1024}},
      {"shufflenet-v2-1.0", {116, 232, 464, 1024}},
      {"shufflenet-v2-1.5", {176, 352, 704, 1024}},
      {"shufflenet-v2-2.0", {244, 488, 976, 2048}},
  };
  for (const auto& [name, values] : all)
    table[name] = [widths = values](const ArchitectureOptions& o) { return build(widths, o); };
}

}  // namespace graft
