#pragma once

#include <functional>
#include <memory>
#include <typeindex>
#include <unordered_map>

#include "runtime/backend.h"

namespace graft::cpu {

/// Which function makes the kernel of which operator class.
class KernelTable {
 public:
  using Factory = std::function<std::unique_ptr<Kernel>(const KernelRequest&)>;
  template <typename Op>
  void add(std::unique_ptr<Kernel> (*make)(const Op&, const KernelRequest&)) {
    factories_[typeid(Op)] = [make](const KernelRequest& request) { return make(static_cast<const Op&>(request.op), request); };
  }
  const Factory* find(const Operator& op) const {
    const auto it = factories_.find(typeid(op));
    return it == factories_.end() ? nullptr : &it->second;
  }

 private:
  std::unordered_map<std::type_index, Factory> factories_;
};

/// One word for each kernel file: NAME stands for register_NAME, which it defines.
#define GRAFT_KERNEL_FILES(file) \
  file(batch_norm) \
  file(binary) \
  file(comparison) \
  file(convolution) \
  file(dropout) \
  file(gemm) \
  file(lrn) \
  file(movement) \
  file(normalise) \
  file(pixel_rows) \
  file(pool) \
  file(prelu) \
  file(quantise) \
  file(rearrange) \
  file(reduce) \
  file(resize) \
  file(selection) \
  file(softmax) \
  file(unary)

#define GRAFT_DECLARE(name) void register_##name(KernelTable& table);
GRAFT_KERNEL_FILES(GRAFT_DECLARE)
#undef GRAFT_DECLARE

}  // namespace graft::cpu
