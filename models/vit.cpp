// Vision transformers [Dosovitskiy et al. 2021] and DeiT [Touvron et al. 2021], with timm's names of parameters.
#include "models/attention.h"
#include "models/registry.h"

namespace graft {
namespace {

struct Configuration {
  int64_t width, heads, depth = 12, patch = 16;
  bool distilled = false;  // a second token and a second head, whose scores are averaged
};

ValueId block(NetworkBuilder& net, const std::string& name, ValueId x, int64_t heads) {
  const int64_t width = net.shape(x)[2];
  x = net.add(name + ".attended", x,
              self_attention(net, name + ".attn", net.layer_norm(name + ".norm1", x), heads,
                             [](ValueId scores) { return scores; }));
  ValueId y = net.linear(name + ".mlp.fc1", net.layer_norm(name + ".norm2", x), 4 * width);
  y = net.linear(name + ".mlp.fc2", net.activation(name + ".mlp.act", y, NetworkBuilder::Activation::gelu), width);
  return net.add(name + ".out", x, y);
}

Graph build(const Configuration& c, const ArchitectureOptions& o) {
  constexpr int64_t kSide = 224;
  NetworkBuilder net(o.seed, o.initialise);
  net.epsilon = 1e-6f;
  net.convolutions = net.denses = {Initialiser::Kind::gaussian, 0.02f};
  const int64_t patches = (kSide / c.patch) * (kSide / c.patch);
  ValueId x = net.convolution("patch_embed.proj", net.picture(3, kSide, kSide), c.width,
                              {.kernel = {c.patch, c.patch}, .stride = c.patch, .bias = true, .valid = true});
  x = net.transpose("patch_embed.tokens", net.reshape("patch_embed.flat", x, {0, c.width, patches}), {0, 2, 1});
  // A token for each picture of the batch, whose number is known when it runs.
  const auto token = [&](const std::string& name) {
    return net.repeated_for_batch(name + ".batch", net.drawn_parameter(name, {1, 1, c.width}, 0.02f), x);
  };
  std::vector<ValueId> all{token("cls_token")};
  if (c.distilled) all.push_back(token("dist_token"));
  all.push_back(x);
  x = net.concat("tokens", all);
  const int64_t tokens = net.shape(x)[1];
  x = net.add("placed", x, net.drawn_parameter("pos_embed", {1, tokens, c.width}, 0.02f));
  for (int64_t i = 0; i < c.depth; ++i) x = block(net, "blocks." + std::to_string(i), x, c.heads);
  x = net.layer_norm("norm", x);
  const auto scores = [&](const std::string& name, int64_t at) {
    const ValueId picked = net.slice(name + ".token", x, 1, at, at + 1);
    return net.linear(name, net.flatten(name + ".flat", picked), o.classes_or(1000));
  };
  if (!c.distilled) return net.take(scores("head", 0));
  const ValueId sum = net.add("scores.sum", scores("head", 0), scores("head_dist", 1));
  return net.take(net.multiply("scores", sum, net.number("scores.half", 0.5f)));
}

}  // namespace

void add_vit(ArchitectureTable& table) {
  const std::vector<std::pair<std::string, Configuration>> all{
      {"vit-tiny-16", {192, 3}},
      {"vit-small-16", {384, 6}},
      {"vit-small-32", {384, 6, 12, 32}},
      {"vit-base-16", {768, 12}},
      {"vit-base-32", {768, 12, 12, 32}},
      {"vit-large-16", {1024, 16, 24}},
      {"deit-tiny-distilled-16", {192, 3, 12, 16, true}},
      {"deit-small-distilled-16", {384, 6, 12, 16, true}},
      {"deit-base-distilled-16", {768, 12, 12, 16, true}},
  };
  for (const auto& [name, values] : all)
    table[name] = [configuration = values](const ArchitectureOptions& o) { return build(configuration, o); };
}

}  // namespace graft
