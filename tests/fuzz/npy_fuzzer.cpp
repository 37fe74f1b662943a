// libFuzzer target: any bytes are an array or one Error.
#include "runtime/core/error.h"
#include "runtime/core/npy.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const graft::Tensor tensor = graft::read_npy(graft::input_file(data, size));
    graft::cast(tensor, graft::DType::f32);
  } catch (const graft::Error&) {
  }
  return 0;
}
