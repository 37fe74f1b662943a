// libFuzzer target: any text is a preprocessing in JSON or one Error.
#include "importer/preprocessing_json.h"
#include "runtime/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    graft::preprocessing_from_json(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const graft::Error&) {
  }
  return 0;
}
