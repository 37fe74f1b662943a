#include "apps/library/network_text.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "runtime/ops/loop.h"

namespace graft {

void append_network(const Graph& graph, std::ostream& text) {
  for (const Node& node : graph.nodes) {
    text << node.op->type() << ' ' << node.name;
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || !graph.value(id).constant) continue;
      const Tensor& weight = *graph.value(id).constant;
      text << ' ' << weight.shape().str() << ':';
      uint64_t first = 0;
      if (weight.bytes() > 0) std::memcpy(&first, weight.raw(), std::min(weight.bytes(), sizeof first));
      text << first;
    }
    text << '\n';
    if (const auto* loop = dynamic_cast<const Loop*>(node.op.get())) append_network(loop->body, text);
  }
}

std::string hash_of(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  std::ostringstream hex;
  hex << std::hex << hash;
  return hex.str();
}

}  // namespace graft
