#pragma once

#include <vector>

#include "runtime/core/backend.h"
#include "runtime/core/error.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/onednn_api.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {

inline const dnnl::engine& engine() {
  static const dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

/// oneDNN's streams are cheap and stateless on the processor; one a thread.
inline dnnl::stream& stream() {
  thread_local dnnl::stream instance(engine());
  return instance;
}

inline dnnl::memory::desc describe_operand(const Operand& operand) {
  return {dnnl::memory::dims(operand.shape.begin(), operand.shape.end()), dnnl::memory::data_type::f32,
          dnnl::memory::dims(operand.strides.begin(), operand.strides.end())};
}

inline dnnl::memory::desc any_layout(const Shape& shape) {
  return {dnnl::memory::dims(shape.begin(), shape.end()), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
}

/// Memory without a buffer; set_data_handle gives it one before each run.
inline dnnl::memory unbound(const dnnl::memory::desc& desc) { return dnnl::memory(desc, engine(), nullptr); }

/// What a primitive reads and writes, listed when a kernel is made: dnnl::primitive::execute would allocate such a list
/// at each run.
class PrimitiveArguments {
 public:
  /// `name`: one of DNNL_ARG_…. The data handle of `memory` is set before each run.
  void add(int name, const dnnl::memory& memory) {
    memories_.push_back(memory);
    list_.push_back({name, memory.get()});
  }
  void execute(const dnnl::primitive& primitive) const {
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive.get(), stream().get(), static_cast<int>(list_.size()), list_.data()),
        "a primitive could not be executed");
  }

 private:
  std::vector<dnnl::memory> memories_;  // what the list points to
  std::vector<dnnl_exec_arg_t> list_;
};

/// What follows oneDNN's products in a pass of its own: its ReLU and clip turn NaN into their bound, so that a run that
/// diverges would not be seen to. Call it behind the primitive.
inline void activate_result(const Activation& activation, void* result, int64_t elements) {
  if (activation.kind == Activation::Kind::none) return;
  auto* const y = static_cast<float*>(result);
  parallel_for(elements, kGrain, [&](int64_t first, int64_t last) {
    vector_loops().activate(last - first, y + first, activation, y + first);
  });
}

inline void require_f32(const Operand& operand) {
  if (operand.present && operand.dtype != DType::f32)
    throw Error(std::string("the processor computes this in float32, found ") + name_of(operand.dtype));
}

inline void require_f32(const KernelRequest& request) {
  for (const auto operands : {request.inputs, request.outputs})
    for (const Operand& o : operands) require_f32(o);
}

/// Runs `body`, turning oneDNN's exceptions into Error.
template <typename Body>
decltype(auto) guarded(Body&& body) {
  try {
    return body();
  } catch (const dnnl::error& e) {
    throw Error(std::string("oneDNN refuses: ") + e.what());
  }
}

}  // namespace graft::cpu
