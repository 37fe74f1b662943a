#include "runtime/cpu/indexed_gather.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/strided_copy.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

template <typename Index>
struct IndexedWalk {
  explicit IndexedWalk(const IndexedElements& e)
      : extent(e.extent), step(e.step), walk(e.shape, {e.result, e.indices, e.data}) {}
  int64_t place(Index index) const {
    if (index < -extent || index >= extent)
      throw Error("index " + std::to_string(index) + " lies outside a dimension of " + std::to_string(extent));
    return (index < 0 ? index + extent : index) * step;
  }
  int64_t extent, step;
  Walk<3> walk;
};

template <typename T, typename Index>
class IndexedGatherKernel final : public Kernel {
 public:
  explicit IndexedGatherKernel(const IndexedElements& e) : walk_(e) {}
  void run(const KernelArguments& a) override {
    const auto* data = static_cast<const T*>(a.inputs[0]);
    const auto* indices = static_cast<const Index*>(a.inputs[1]);
    auto* y = static_cast<T*>(a.outputs[0]);
    walk_.walk.run_parallel(0, kGrain, [&](const auto& at, int64_t count, const auto& steps) {
      if (steps[1] == 0 && steps[0] == 1 && steps[2] == 1) {  // a row of one index
        std::copy_n(data + at[2] + walk_.place(indices[at[1]]), count, y + at[0]);
        return;
      }
      for (int64_t i = 0; i < count; ++i)
        y[at[0] + i * steps[0]] = data[at[2] + i * steps[2] + walk_.place(indices[at[1] + i * steps[1]])];
    });
  }

 private:
  IndexedWalk<Index> walk_;
};

/// Elements taken several times add up, so they come one after the other.
template <typename Index>
class IndexedAddKernel final : public Kernel {
 public:
  IndexedAddKernel(const IndexedElements& e, int64_t elements) : elements_(elements), walk_(e) {}
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    const auto* indices = static_cast<const Index*>(a.inputs[1]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    std::fill_n(dx, elements_, 0.0f);
    walk_.walk.run([&](const auto& at, int64_t count, const auto& steps) {
      for (int64_t i = 0; i < count; ++i)
        dx[at[2] + i * steps[2] + walk_.place(indices[at[1] + i * steps[1]])] += dy[at[0] + i * steps[0]];
    });
  }

 private:
  int64_t elements_;
  IndexedWalk<Index> walk_;
};

template <typename T, typename Index>
class IndexedScatterKernel final : public Kernel {
 public:
  IndexedScatterKernel(const IndexedElements& e, const Operand& data, const Operand& result, bool adds)
      : walk_(e), copy_(sizeof(T), data.shape, data.strides, result.strides), adds_(adds) {}
  void run(const KernelArguments& a) override {
    const auto* indices = static_cast<const Index*>(a.inputs[1]);
    const auto* updates = static_cast<const T*>(a.inputs[2]);
    auto* y = static_cast<T*>(a.outputs[0]);
    if (a.inputs[0] != a.outputs[0]) copy_.run(a.inputs[0], a.outputs[0]);
    walk_.walk.run([&](const auto& at, int64_t count, const auto& steps) {
      for (int64_t i = 0; i < count; ++i) {
        T& to = y[at[2] + i * steps[2] + walk_.place(indices[at[1] + i * steps[1]])];
        const T update = updates[at[0] + i * steps[0]];
        to = adds_ ? static_cast<T>(to + update) : update;
      }
    });
  }

 private:
  IndexedWalk<Index> walk_;
  StridedCopy copy_;
  bool adds_;
};

template <typename Index>
std::unique_ptr<Kernel> scatter_by(const IndexedElements& e, const Operand& data, const Operand& result, bool adds) {
  switch (size_of(data.dtype)) {
    case 1:
      return std::make_unique<IndexedScatterKernel<uint8_t, Index>>(e, data, result, adds);
    case 2:
      return std::make_unique<IndexedScatterKernel<uint16_t, Index>>(e, data, result, adds);
    case 4:
      return std::make_unique<IndexedScatterKernel<float, Index>>(e, data, result, adds);
    default:
      return std::make_unique<IndexedScatterKernel<uint64_t, Index>>(e, data, result, adds);
  }
}

template <typename Index>
std::unique_ptr<Kernel> gather_by(const IndexedElements& e, DType dtype) {
  switch (size_of(dtype)) {
    case 1:
      return std::make_unique<IndexedGatherKernel<uint8_t, Index>>(e);
    case 2:
      return std::make_unique<IndexedGatherKernel<uint16_t, Index>>(e);
    case 4:
      return std::make_unique<IndexedGatherKernel<uint32_t, Index>>(e);
    default:
      return std::make_unique<IndexedGatherKernel<uint64_t, Index>>(e);
  }
}

bool is_wide(const IndexedElements& e) {
  if (e.index_dtype != DType::i64 && e.index_dtype != DType::i32)
    throw Error(std::string("indices are ") + name_of(e.index_dtype) + ", not integers");
  return e.index_dtype == DType::i64;
}

}  // namespace

std::unique_ptr<Kernel> make_indexed_gather(const IndexedElements& elements, DType dtype) {
  return is_wide(elements) ? gather_by<int64_t>(elements, dtype) : gather_by<int32_t>(elements, dtype);
}

std::unique_ptr<Kernel> make_indexed_scatter(const IndexedElements& elements, const Operand& data,
                                             const Operand& result, bool adds) {
  return is_wide(elements) ? scatter_by<int64_t>(elements, data, result, adds)
                           : scatter_by<int32_t>(elements, data, result, adds);
}

std::unique_ptr<Kernel> make_indexed_add(const IndexedElements& elements, int64_t data_elements) {
  if (is_wide(elements)) return std::make_unique<IndexedAddKernel<int64_t>>(elements, data_elements);
  return std::make_unique<IndexedAddKernel<int32_t>>(elements, data_elements);
}

}  // namespace graft::cpu
