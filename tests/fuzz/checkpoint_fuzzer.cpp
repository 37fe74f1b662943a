// libFuzzer target: any bytes are a checkpoint (safetensors) or one Error.
#include "finetune/training/checkpoint.h"
#include "runtime/core/error.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    graft::read_checkpoint(graft::input_file(data, size));
  } catch (const graft::Error&) {
  }
  return 0;
}
