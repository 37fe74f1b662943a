#pragma once

/// Marks functions that run on the processor and, where a CUDA compiler reads them, on a GPU too.
#ifdef __CUDACC__
#define GRAFT_DEVICE __host__ __device__
#else
#define GRAFT_DEVICE
#endif
