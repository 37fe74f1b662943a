#pragma once

// oneDNN's C++ interface on a library that is opened when it is first asked for: most networks run without its 44 MB.
// Include this in place of <oneapi/dnnl/dnnl.hpp>.

#include "runtime/cpu/onednn_functions.h"

// From here on the functions' names stand for what was found in the library.
#define dnnl_convolution_backward_data_primitive_desc_create \
  (::graft::cpu::onednn()->dnnl_convolution_backward_data_primitive_desc_create)
#define dnnl_convolution_backward_weights_primitive_desc_create \
  (::graft::cpu::onednn()->dnnl_convolution_backward_weights_primitive_desc_create)
#define dnnl_convolution_forward_primitive_desc_create \
  (::graft::cpu::onednn()->dnnl_convolution_forward_primitive_desc_create)
#define dnnl_engine_create (::graft::cpu::onednn()->dnnl_engine_create)
#define dnnl_engine_destroy (::graft::cpu::onednn()->dnnl_engine_destroy)
#define dnnl_matmul_primitive_desc_create (::graft::cpu::onednn()->dnnl_matmul_primitive_desc_create)
#define dnnl_memory_create_v2 (::graft::cpu::onednn()->dnnl_memory_create_v2)
#define dnnl_memory_desc_clone (::graft::cpu::onednn()->dnnl_memory_desc_clone)
#define dnnl_memory_desc_create_with_strides (::graft::cpu::onednn()->dnnl_memory_desc_create_with_strides)
#define dnnl_memory_desc_create_with_tag (::graft::cpu::onednn()->dnnl_memory_desc_create_with_tag)
#define dnnl_memory_desc_destroy (::graft::cpu::onednn()->dnnl_memory_desc_destroy)
#define dnnl_memory_desc_equal (::graft::cpu::onednn()->dnnl_memory_desc_equal)
#define dnnl_memory_desc_get_size_v2 (::graft::cpu::onednn()->dnnl_memory_desc_get_size_v2)
#define dnnl_memory_desc_query (::graft::cpu::onednn()->dnnl_memory_desc_query)
#define dnnl_memory_desc_query_v2 (::graft::cpu::onednn()->dnnl_memory_desc_query_v2)
#define dnnl_memory_destroy (::graft::cpu::onednn()->dnnl_memory_destroy)
#define dnnl_memory_get_memory_desc (::graft::cpu::onednn()->dnnl_memory_get_memory_desc)
#define dnnl_memory_set_data_handle_v2 (::graft::cpu::onednn()->dnnl_memory_set_data_handle_v2)
#define dnnl_post_ops_append_binary (::graft::cpu::onednn()->dnnl_post_ops_append_binary)
#define dnnl_post_ops_append_eltwise (::graft::cpu::onednn()->dnnl_post_ops_append_eltwise)
#define dnnl_post_ops_append_sum (::graft::cpu::onednn()->dnnl_post_ops_append_sum)
#define dnnl_post_ops_create (::graft::cpu::onednn()->dnnl_post_ops_create)
#define dnnl_post_ops_destroy (::graft::cpu::onednn()->dnnl_post_ops_destroy)
#define dnnl_primitive_attr_create (::graft::cpu::onednn()->dnnl_primitive_attr_create)
#define dnnl_primitive_attr_destroy (::graft::cpu::onednn()->dnnl_primitive_attr_destroy)
#define dnnl_primitive_attr_set_post_ops (::graft::cpu::onednn()->dnnl_primitive_attr_set_post_ops)
#define dnnl_primitive_attr_set_scratchpad_mode (::graft::cpu::onednn()->dnnl_primitive_attr_set_scratchpad_mode)
#define dnnl_primitive_create (::graft::cpu::onednn()->dnnl_primitive_create)
#define dnnl_primitive_desc_destroy (::graft::cpu::onednn()->dnnl_primitive_desc_destroy)
#define dnnl_primitive_desc_query_md (::graft::cpu::onednn()->dnnl_primitive_desc_query_md)
#define dnnl_primitive_destroy (::graft::cpu::onednn()->dnnl_primitive_destroy)
#define dnnl_primitive_execute (::graft::cpu::onednn()->dnnl_primitive_execute)
#define dnnl_reorder_primitive_desc_create (::graft::cpu::onednn()->dnnl_reorder_primitive_desc_create)
#define dnnl_stream_create (::graft::cpu::onednn()->dnnl_stream_create)
#define dnnl_stream_destroy (::graft::cpu::onednn()->dnnl_stream_destroy)
#define dnnl_stream_wait (::graft::cpu::onednn()->dnnl_stream_wait)

#include <oneapi/dnnl/dnnl.hpp>
