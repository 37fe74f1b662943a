#pragma once

#include "runtime/cuda/gpu/libraries.h"
#include "runtime/cuda/library.h"

namespace graft::cuda {

/// As a graph of cuDNN's, with the fastest engine that it has for the shape. Null where it has none. Measures the
/// candidates where Choices knows none. Throws Error when the library fails.
std::unique_ptr<LibraryConvolution> make_cudnn_convolution(const ConvolutionProblem& problem,
                                                           const Libraries& libraries);

}  // namespace graft::cuda
