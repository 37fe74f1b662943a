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

/// One line for each kernel file.
void register_batch_norm(KernelTable& table);
void register_binary(KernelTable& table);
void register_comparison(KernelTable& table);
void register_convolution(KernelTable& table);
void register_dropout(KernelTable& table);
void register_gemm(KernelTable& table);
void register_lrn(KernelTable& table);
void register_movement(KernelTable& table);
void register_normalise(KernelTable& table);
void register_pixel_rows(KernelTable& table);
void register_pool(KernelTable& table);
void register_prelu(KernelTable& table);
void register_quantise(KernelTable& table);
void register_rearrange(KernelTable& table);
void register_reduce(KernelTable& table);
void register_resize(KernelTable& table);
void register_selection(KernelTable& table);
void register_softmax(KernelTable& table);
void register_unary(KernelTable& table);

}  // namespace graft::cpu
