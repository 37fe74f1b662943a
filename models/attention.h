#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "models/builder.h"

namespace graft {

/// Multi-head self-attention [Vaswani et al. 2017, §3.2] of x (N×L×C): parameters NAME.qkv and NAME.proj. `shaped`
/// makes of the scores (N×heads×L×L) what the softmax takes.
template <typename Shaped>
ValueId self_attention(NetworkBuilder& net, const std::string& name, ValueId x, int64_t heads, const Shaped& shaped) {
  const int64_t tokens = net.shape(x)[1], width = net.shape(x)[2], each = width / heads;
  const ValueId all = net.linear(name + ".qkv", x, 3 * width);
  const auto part = [&](const char* suffix, int64_t index, const std::vector<int64_t>& order) {
    const std::string own = name + suffix;
    const ValueId flat = net.slice(own, all, 2, index * width, (index + 1) * width);
    return net.transpose(own + ".heads", net.reshape(own + ".split", flat, {0, tokens, heads, each}), order);
  };
  const ValueId q = part(".q", 0, {0, 2, 1, 3}), k = part(".k", 1, {0, 2, 3, 1}), v = part(".v", 2, {0, 2, 1, 3});
  const ValueId scale = net.number(name + ".scale", 1 / std::sqrt(static_cast<float>(each)));
  const ValueId scores = net.matrix_product(name + ".scores", net.multiply(name + ".q.scaled", q, scale), k);
  const ValueId mixed = net.matrix_product(name + ".mixed", net.softmax(name + ".softmax", shaped(scores)), v);
  const ValueId rows =
      net.reshape(name + ".merged", net.transpose(name + ".back", mixed, {0, 2, 1, 3}), {0, tokens, width});
  return net.linear(name + ".proj", rows, width);
}

}  // namespace graft
