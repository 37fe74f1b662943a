#pragma once

#include "onnx.pb.h"
#include "runtime/core/tensor.h"

namespace graft {

/// TensorProto's number for an element type, as graft writes it.
inline int onnx_type(DType dtype) {
  switch (dtype) {
    case DType::i64:
      return onnx::TensorProto::INT64;
    case DType::i32:
      return onnx::TensorProto::INT32;
    case DType::u8:
      return onnx::TensorProto::UINT8;
    case DType::i8:
      return onnx::TensorProto::INT8;
    case DType::boolean:
      return onnx::TensorProto::BOOL;
    default:
      return onnx::TensorProto::FLOAT;
  }
}

}  // namespace graft
