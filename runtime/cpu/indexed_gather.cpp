#include "runtime/cpu/indexed_gather.h"

#include <algorithm>

#include "runtime/core/dimensions.h"
#include "runtime/core/strided_copy.h"
#include "runtime/cpu/walk.h"
#include "runtime/cpu/words.h"

namespace graft::cpu {
namespace {

template <typename Index>
struct IndexedWalk {
  explicit IndexedWalk(const IndexedElements& e)
      : extent(e.extent), step(e.step), walk(e.shape, {e.result, e.indices, e.data}) {}
  int64_t place(Index index) const { return resolve_index(index, extent) * step; }
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
        put(to, updates[at[0] + i * steps[0]], adds_);
      }
    });
  }

 private:
  IndexedWalk<Index> walk_;
  StridedCopy copy_;
  bool adds_;
};

/// What each update is worth: dy where it is the last of its place, nothing where another one came after it.
template <typename Index>
class IndexedKeptKernel final : public Kernel {
 public:
  IndexedKeptKernel(const IndexedElements& e, int64_t data_elements) : walk_(e), data_elements_(data_elements) {}
  size_t scratch_bytes() const override { return static_cast<size_t>(data_elements_) * sizeof(int64_t); }
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    const auto* indices = static_cast<const Index*>(a.inputs[1]);
    auto* updates = static_cast<float*>(a.outputs[0]);
    auto* last = static_cast<int64_t*>(a.scratch);  // by place in the data: the update that stays
    const auto each = [&](const auto& body) {
      walk_.walk.run([&](const auto& at, int64_t count, const auto& steps) {
        for (int64_t i = 0; i < count; ++i)
          body(at[0] + i * steps[0], at[2] + i * steps[2] + walk_.place(indices[at[1] + i * steps[1]]));
      });
    };
    each([&](int64_t update, int64_t place) { last[place] = update; });
    each([&](int64_t update, int64_t place) { updates[update] = last[place] == update ? dy[place] : 0.0f; });
  }

 private:
  IndexedWalk<Index> walk_;
  int64_t data_elements_;
};

template <typename Index>
std::unique_ptr<Kernel> scatter_by(const IndexedElements& e, const Operand& data, const Operand& result, bool adds) {
  return visit_words(data.dtype, [&](auto word) -> std::unique_ptr<Kernel> {
    return std::make_unique<IndexedScatterKernel<decltype(word), Index>>(e, data, result, adds);
  });
}

template <typename Index>
std::unique_ptr<Kernel> gather_by(const IndexedElements& e, DType dtype) {
  return visit_words(dtype, [&](auto word) -> std::unique_ptr<Kernel> {
    return std::make_unique<IndexedGatherKernel<decltype(word), Index>>(e);
  });
}

bool is_wide(const IndexedElements& e) {
  if (e.index_dtype != DType::i64 && e.index_dtype != DType::i32)
    throw Error(std::string("indices are ") + name_of(e.index_dtype) + ", not integers");
  return e.index_dtype == DType::i64;
}

}  // namespace

IndexedElements elements_along(int64_t axis, const Operand& result, const Operand& indices, const Operand& data) {
  const auto along = static_cast<size_t>(resolve_axis(axis, data.shape.rank()));
  Strides beside = data.strides;
  beside[along] = 0;
  return {result.shape, result.strides, indices.strides, beside, indices.dtype, data.shape[along], data.strides[along]};
}

std::unique_ptr<Kernel> make_indexed_gather(const IndexedElements& elements, DType dtype) {
  return is_wide(elements) ? gather_by<int64_t>(elements, dtype) : gather_by<int32_t>(elements, dtype);
}

std::unique_ptr<Kernel> make_indexed_scatter(const IndexedElements& elements, const Operand& data,
                                             const Operand& result, bool adds) {
  return is_wide(elements) ? scatter_by<int64_t>(elements, data, result, adds)
                           : scatter_by<int32_t>(elements, data, result, adds);
}

std::unique_ptr<Kernel> make_indexed_kept(const IndexedElements& elements, int64_t data_elements) {
  if (is_wide(elements)) return std::make_unique<IndexedKeptKernel<int64_t>>(elements, data_elements);
  return std::make_unique<IndexedKeptKernel<int32_t>>(elements, data_elements);
}

std::unique_ptr<Kernel> make_indexed_add(const IndexedElements& elements, int64_t data_elements) {
  if (is_wide(elements)) return std::make_unique<IndexedAddKernel<int64_t>>(elements, data_elements);
  return std::make_unique<IndexedAddKernel<int32_t>>(elements, data_elements);
}

}  // namespace graft::cpu
