#pragma once

#include <oneapi/dnnl/dnnl.h>

/// What dnnl.hpp calls of the C interface in the parts that are used here. Whoever uses more adds it, also below; what
/// is missing does not link.
#define GRAFT_ONEDNN_FUNCTIONS(X)                            \
  X(dnnl_convolution_backward_data_primitive_desc_create)    \
  X(dnnl_convolution_backward_weights_primitive_desc_create) \
  X(dnnl_convolution_forward_primitive_desc_create)          \
  X(dnnl_engine_create)                                      \
  X(dnnl_engine_destroy)                                     \
  X(dnnl_matmul_primitive_desc_create)                       \
  X(dnnl_memory_create_v2)                                   \
  X(dnnl_memory_desc_clone)                                  \
  X(dnnl_memory_desc_create_with_strides)                    \
  X(dnnl_memory_desc_create_with_tag)                        \
  X(dnnl_memory_desc_destroy)                                \
  X(dnnl_memory_desc_equal)                                  \
  X(dnnl_memory_desc_get_size_v2)                            \
  X(dnnl_memory_desc_query)                                  \
  X(dnnl_memory_desc_query_v2)                               \
  X(dnnl_memory_destroy)                                     \
  X(dnnl_memory_get_memory_desc)                             \
  X(dnnl_memory_set_data_handle_v2)                          \
  X(dnnl_post_ops_append_binary)                             \
  X(dnnl_post_ops_append_eltwise)                            \
  X(dnnl_post_ops_append_sum)                                \
  X(dnnl_post_ops_create)                                    \
  X(dnnl_post_ops_destroy)                                   \
  X(dnnl_primitive_attr_create)                              \
  X(dnnl_primitive_attr_destroy)                             \
  X(dnnl_primitive_attr_set_post_ops)                        \
  X(dnnl_primitive_attr_set_scratchpad_mode)                 \
  X(dnnl_primitive_create)                                   \
  X(dnnl_primitive_desc_destroy)                             \
  X(dnnl_primitive_desc_query_md)                            \
  X(dnnl_primitive_destroy)                                  \
  X(dnnl_primitive_execute)                                  \
  X(dnnl_reorder_primitive_desc_create)                      \
  X(dnnl_stream_create)                                      \
  X(dnnl_stream_destroy)                                     \
  X(dnnl_stream_wait)

namespace graft::cpu {

struct OneDnn {
#define GRAFT_DECLARE(name) decltype(::name)* name;
  GRAFT_ONEDNN_FUNCTIONS(GRAFT_DECLARE)
#undef GRAFT_DECLARE
};

/// For one call: `onednn()->dnnl_…(…)`. oneDNN asks OpenMP how many threads the calling thread may have; for the call
/// it is thread_count(), and afterwards again what whoever else uses OpenMP in this thread had set.
class OneDnnCall {
 public:
  OneDnnCall();
  ~OneDnnCall();
  OneDnnCall(const OneDnnCall&) = delete;
  OneDnnCall& operator=(const OneDnnCall&) = delete;
  const OneDnn* operator->() const;

 private:
  int before_ = 0;  // 0: it was as it is
};

/// Opens the library. Throws Error (unsupported) where it is not there or lacks a function.
inline OneDnnCall onednn() { return {}; }

}  // namespace graft::cpu
