#pragma once

#include <cstddef>

namespace graft {
class Backend;
}

// What libgraft_cuda.so exports: C functions that throw nothing. All else crosses as virtual functions of what they
// return, for which both sides must be of one build.
extern "C" {

/// Static text. Asked before anything else; where it is not the program's own, nothing else is called.
const char* graft_cuda_build_identity() noexcept;

/// Opens GPU `device`. `precision`: fp32, tf32 (of float products), bf16 or fp16 (of activations). `host` outlives the
/// result, which the caller gives back to graft_cuda_close. Writes what the GPU is to `description`. Null where it
/// cannot be opened, with the reason in `message`. Texts are cut to their buffers' sizes in bytes, and end with 0.
graft::Backend* graft_cuda_open(int device, const char* precision, const graft::Backend* host, char* description,
                                size_t description_bytes, char* message, size_t message_bytes) noexcept;

/// Releases what graft_cuda_open returned. Nothing may use it any more.
void graft_cuda_close(graft::Backend* backend) noexcept;
}

namespace graft::cuda {

/// The functions above, as they were found in a library.
struct PluginFunctions {
  const char* (*build_identity)() = nullptr;
  Backend* (*open)(int device, const char* precision, const Backend* host, char* description, size_t description_bytes,
                   char* message, size_t message_bytes) = nullptr;
  void (*close)(Backend* backend) = nullptr;
};

}  // namespace graft::cuda
