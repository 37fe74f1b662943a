#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/vector/rows.h"
#include "runtime/cpu/vector/score_rows.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/transpose.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/ops/fused_attention.h"

namespace graft::cpu {
namespace {

constexpr int64_t kBlockFloats = int64_t{1}
                                 << 15;    // scores of a block of queries: in the second cache with what they meet
constexpr int64_t kMostQueries = 96;       // in a block
constexpr int64_t kPadding = kLineFloats;  // floats between rows, so that they do not fall on one cache set

int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// What forward and backward share: how queries are divided, matrices packed, and scores made.
class AttentionBlocks {
 public:
  explicit AttentionBlocks(const FusedAttention& op)
      : op_(op),
        pitch_(padded(op.keys) + kPadding),
        q_(op.offsets(op.q.offset, op.q.batch)),
        k_(op.offsets(op.k.offset, op.k.batch)),
        v_(op.offsets(op.v.offset, op.v.batch)),
        y_(op.offsets(op.result.offset, op.result.batch)) {
    for (const MatrixView& bias : op.biases) biases_.push_back(op.offsets(bias.offset, bias.batch));
    // Blocks of nearly one size, whole tiles each.
    const int64_t most = std::clamp(kBlockFloats / pitch_, tiles_.rows, kMostQueries),
                  blocks = (op.queries + most - 1) / most;
    rows_ = rounded_up((op.queries + blocks - 1) / blocks, tiles_.rows);
  }

  const FusedAttention& op() const { return op_; }
  int64_t matrices() const { return std::ssize(q_); }
  int64_t rows() const { return rows_; }  // of a block of queries
  int64_t blocks() const { return (op_.queries + rows_ - 1) / rows_; }
  int64_t pitch() const { return pitch_; }  // floats from one query's scores to the next one's
  int64_t padded(int64_t columns) const { return rounded_up(columns, tiles_.lanes); }
  int64_t packed_floats(int64_t depth, int64_t columns) const {
    return tiles_.panels(columns) * depth * tiles_.columns;
  }

  const float* q(std::span<const void* const> inputs, int64_t matrix) const { return at(inputs, op_.q, q_, matrix); }
  const float* k(std::span<const void* const> inputs, int64_t matrix) const { return at(inputs, op_.k, k_, matrix); }
  const float* v(std::span<const void* const> inputs, int64_t matrix) const { return at(inputs, op_.v, v_, matrix); }
  int64_t q_offset(int64_t matrix) const { return q_[static_cast<size_t>(matrix)]; }
  int64_t k_offset(int64_t matrix) const { return k_[static_cast<size_t>(matrix)]; }
  int64_t v_offset(int64_t matrix) const { return v_[static_cast<size_t>(matrix)]; }
  int64_t y_offset(int64_t matrix) const { return y_[static_cast<size_t>(matrix)]; }
  const std::vector<int64_t>& bias_offsets(size_t bias) const { return biases_[bias]; }

  /// B for a product: element (k, n) is factor·m[k·k_stride + n·n_stride].
  void pack(const float* m, int64_t depth, int64_t k_stride, int64_t columns, int64_t n_stride, float factor,
            float* to) const {
    const int64_t width = tiles_.columns;
    for (int64_t n0 = 0; n0 < columns; n0 += width, to += depth * width) {
      const int64_t n1 = std::min(width, columns - n0), end = std::min(width, padded(columns) - n0);
      const float* from = m + n0 * n_stride;
      if (n_stride == 1) {
        for (int64_t k = 0; k < depth; ++k) row_loops().scale(n1, from + k * k_stride, factor, to + k * width);
      } else if (k_stride == 1) {
        transposition().copy(n1, depth, from, n_stride, factor, to, width);
      } else {
        for (int64_t n = 0; n < n1; ++n)
          for (int64_t k = 0; k < depth; ++k) to[k * width + n] = factor * from[k * k_stride + n * n_stride];
      }
      for (int64_t k = 0; n1 < end && k < depth; ++k) std::fill_n(to + k * width + n1, end - n1, 0.0f);
    }
  }

  /// Kᵀ, times what scales the scores.
  void pack_keys(const float* keys, float* to) const {
    pack(keys, op_.width, op_.k.column, op_.keys, op_.k.row, op_.scale, to);
  }

  /// C (+)= A·B for a block's rows, `a_row` and `c_row` floats apart.
  void multiply(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t a_row, const float* packed,
                float* c, int64_t c_row) const {
    const int64_t tile_rows = tiles_.tile_rows(rows);
    tiles_.multiply_rows({rows,
                          padded(columns),
                          depth,
                          a,
                          a_row,
                          tile_rows * a_row,
                          tile_rows,
                          packed,
                          tiles_.columns,
                          depth * tiles_.columns,
                          c,
                          c_row,
                          false,
                          nullptr,
                          false,
                          {}});
  }

  /// C += Aᵀ·B, or C = where it is `first`: A's rows are scores, `columns` of B's are padded.
  void add_transposed(int64_t rows, const float* scores, int64_t columns, const float* b, int64_t b_row, float* c,
                      bool first) const {
    const int64_t tile_rows = tiles_.tile_rows(op_.keys);
    tiles_.multiply_columns({op_.keys,
                             columns,
                             rows,
                             scores,
                             pitch_,
                             tile_rows,
                             tile_rows,
                             b,
                             b_row,
                             tiles_.columns,
                             c,
                             columns,
                             !first,
                             nullptr,
                             true,
                             {}});
  }

  /// Rows first … last-1 of scale·Q·Kᵀ.
  void scores(std::span<const void* const> inputs, int64_t matrix, int64_t first, int64_t last,
              const float* packed_keys, float* to) const {
    multiply(last - first, op_.keys, op_.width, q(inputs, matrix) + first * op_.q.row, op_.q.row, packed_keys, to,
             pitch_);
  }

  /// What is added to one query's scores.
  using Biases = std::array<const float*, FusedAttention::kMostBiases>;
  Biases biases(std::span<const void* const> inputs, int64_t matrix, int64_t query) const {
    Biases rows{};
    for (size_t b = 0; b < op_.biases.size(); ++b)
      rows[b] = at(inputs, op_.biases[b], biases_[b], matrix) + query * op_.biases[b].row;
    return rows;
  }

 private:
  static const float* at(std::span<const void* const> inputs, const MatrixView& view,
                         const std::vector<int64_t>& offsets, int64_t matrix) {
    return static_cast<const float*>(inputs[view.input]) + offsets[static_cast<size_t>(matrix)];
  }

  const TileKernels& tiles_ = tile_kernels();
  FusedAttention op_;
  int64_t rows_ = 0, pitch_ = 0;
  std::vector<int64_t> q_, k_, v_, y_;
  std::vector<std::vector<int64_t>> biases_;
};

/// Hands out a thread's scratch memory.
class Room {
 public:
  explicit Room(void* scratch) : next_(static_cast<float*>(scratch)) {}
  float* take(int64_t floats) {
    float* const taken = next_;
    next_ += size(floats);
    return taken;
  }
  static int64_t size(int64_t floats) { return rounded_up(floats, kLineFloats); }

 private:
  float* next_;
};

class Attention final : public Kernel {
 public:
  explicit Attention(const FusedAttention& op)
      : blocks_(op),
        threads_(std::min<int64_t>(thread_count(), blocks_.matrices() * blocks_.blocks())),
        packed_matrix_(static_cast<size_t>(threads_)) {
    thread_floats_ = Room::size(keys_floats()) + Room::size(values_floats()) + Room::size(scores_floats()) +
                     Room::size(blocks_.rows() * blocks_.padded(op.value_width));
  }
  size_t scratch_bytes() const override { return static_cast<size_t>(threads_ * thread_floats_) * sizeof(float); }

  void run(const KernelArguments& a) override {
    std::fill(packed_matrix_.begin(), packed_matrix_.end(), -1);
    parallel_parts(blocks_.matrices() * blocks_.blocks(), threads_, [&](int64_t part, int64_t slot) {
      block(a, part / blocks_.blocks(), part % blocks_.blocks(), slot);
    });
  }

 private:
  int64_t keys_floats() const { return blocks_.packed_floats(blocks_.op().width, blocks_.op().keys); }
  int64_t values_floats() const { return blocks_.packed_floats(blocks_.op().keys, blocks_.op().value_width); }
  int64_t scores_floats() const { return blocks_.rows() * blocks_.pitch(); }

  void block(const KernelArguments& a, int64_t matrix, int64_t index, int64_t slot) {
    const FusedAttention& op = blocks_.op();
    Room room(static_cast<float*>(a.scratch) + slot * thread_floats_);
    float *const keys = room.take(keys_floats()), *const values = room.take(values_floats()),
                 *const scores = room.take(scores_floats());
    const int64_t width = blocks_.padded(op.value_width);
    float* const weighed = room.take(blocks_.rows() * width);
    if (int64_t& packed = packed_matrix_[static_cast<size_t>(slot)]; packed != matrix) {
      blocks_.pack_keys(blocks_.k(a.inputs, matrix), keys);
      blocks_.pack(blocks_.v(a.inputs, matrix), op.keys, op.v.row, op.value_width, 1, 1, values);
      packed = matrix;
    }
    const int64_t first = index * blocks_.rows(), last = std::min(op.queries, first + blocks_.rows());
    blocks_.scores(a.inputs, matrix, first, last, keys, scores);
    const RowLoops& loops = row_loops();
    float inverse[kMostQueries + kLineFloats];
    for (int64_t r = 0; r < last - first; ++r) {
      float largest = 0;
      const double sum = score_rows().exponentials(op.keys, blocks_.biases(a.inputs, matrix, first + r).data(),
                                                   std::ssize(op.biases), scores + r * blocks_.pitch(), &largest);
      inverse[r] = static_cast<float>(1 / sum);
      if (!op.keeps_sums) continue;
      float* const kept = static_cast<float*>(a.outputs[1]) + matrix * 2 * op.queries + first + r;
      kept[0] = largest;
      kept[op.queries] = inverse[r];
    }
    blocks_.multiply(last - first, op.value_width, op.keys, scores, blocks_.pitch(), values, weighed, width);
    float* const y = static_cast<float*>(a.outputs[0]) + blocks_.y_offset(matrix);
    for (int64_t r = first; r < last; ++r)
      loops.scale(op.value_width, weighed + (r - first) * width, inverse[r - first], y + r * op.result.row);
  }

  AttentionBlocks blocks_;
  int64_t threads_, thread_floats_ = 0;
  std::vector<int64_t> packed_matrix_;  // by slot: whose keys and values it has packed
};

/// With P = softmax(S), O = P·V [Dao et al. 2022, appendix B.2]: dV = Pᵀ·dO, dP = dO·Vᵀ, dS = P∘(dP - rowsum(dO∘O)),
/// dQ = scale·dS·K, dK = scale·dSᵀ·Q and dbias = Σ dS. P is made again from the scores.
class AttentionGradient final : public Kernel {
 public:
  AttentionGradient(const FusedAttentionGradient& op, const KernelRequest& request) : blocks_(op.forward) {
    const FusedAttention& f = op.forward;
    gradient_of_.assign(request.inputs.size() - kForward, -1);
    for (size_t i = 0; i < op.wanted.size(); ++i) gradient_of_[op.wanted[i]] = static_cast<int>(i);
    for (const Operand& output : request.outputs) elements_.push_back(output.shape.elements());
    covered_.assign(op.wanted.size(), 0);
    const auto cover = [&](const MatrixView& view, int64_t rows, int64_t columns) {
      if (const int g = gradient_of_[view.input]; g >= 0)
        covered_[static_cast<size_t>(g)] += blocks_.matrices() * rows * columns;
    };
    cover(f.q, f.queries, f.width);
    cover(f.k, f.keys, f.width);
    cover(f.v, f.keys, f.value_width);
    for (size_t b = 0; b < f.biases.size(); ++b)
      if (gradient_of_[f.biases[b].input] >= 0) bias_ = static_cast<int>(b);
    divide();
    threads_ = std::min<int64_t>(thread_count(), std::ssize(parts_));
    for (const int64_t floats : {keys_floats(), back_floats(), values_floats(), scores_floats(), scores_floats(),
                                 query_floats(), value_floats(), key_sums_floats(), value_sums_floats()})
      thread_floats_ += Room::size(floats);
  }
  size_t scratch_bytes() const override {
    const int64_t sums = bias_ < 0 ? 0 : std::ssize(parts_) * bias_floats();
    return static_cast<size_t>(threads_ * thread_floats_ + sums) * sizeof(float);
  }

  void run(const KernelArguments& a) override {
    const auto inputs = a.inputs.subspan(kForward);
    for (size_t g = 0; g < covered_.size(); ++g)
      if (covered_[g] != elements_[g]) std::fill_n(static_cast<float*>(a.outputs[g]), elements_[g], 0.0f);
    float* const bias_sums = static_cast<float*>(a.scratch) + threads_ * thread_floats_;
    parallel_parts(std::ssize(parts_), threads_, [&](int64_t part, int64_t slot) {
      float* const sums = bias_ < 0 ? nullptr : bias_sums + part * bias_floats();
      if (sums) std::fill_n(sums, bias_floats(), 0.0f);
      for (const int64_t matrix : parts_[static_cast<size_t>(part)].matrices)
        differentiate(a, inputs, matrix, slot, sums);
    });
    if (bias_ >= 0) sum_bias(bias_sums, a);
  }

 private:
  static constexpr size_t kForward = 3;  // inputs of the forward pass follow dY, Y and the sums
  /// Matrices that one thread goes through, all with one place in the bias whose gradient is wanted.
  struct Part {
    int64_t bias_offset = 0;
    std::vector<int64_t> matrices;
  };

  const FusedAttention& op() const { return blocks_.op(); }
  int64_t keys_floats() const { return blocks_.packed_floats(op().width, op().keys); }          // Kᵀ
  int64_t back_floats() const { return blocks_.packed_floats(op().keys, op().width); }          // K
  int64_t values_floats() const { return blocks_.packed_floats(op().value_width, op().keys); }  // Vᵀ
  int64_t scores_floats() const { return blocks_.rows() * blocks_.pitch(); }                    // twice: P and dS
  int64_t query_floats() const { return blocks_.rows() * blocks_.padded(op().width); }          // Q, or dQ
  int64_t value_floats() const { return blocks_.rows() * blocks_.padded(op().value_width); }    // dO
  int64_t key_sums_floats() const { return op().keys * blocks_.padded(op().width); }            // dK
  int64_t value_sums_floats() const { return op().keys * blocks_.padded(op().value_width); }    // dV
  int64_t bias_floats() const { return op().queries * op().keys; }

  /// By shapes alone, so that no sum depends on the number of threads.
  void divide() {
    if (bias_ < 0) {
      for (int64_t m = 0; m < blocks_.matrices(); ++m) parts_.push_back({0, {m}});
      return;
    }
    constexpr int64_t kWanted = 8;
    std::map<int64_t, std::vector<int64_t>> groups;
    const std::vector<int64_t>& offsets = blocks_.bias_offsets(static_cast<size_t>(bias_));
    for (int64_t m = 0; m < blocks_.matrices(); ++m) groups[offsets[static_cast<size_t>(m)]].push_back(m);
    const int64_t each = (kWanted + std::ssize(groups) - 1) / std::ssize(groups);
    for (const auto& [offset, all] : groups) {
      const int64_t count = std::min<int64_t>(each, std::ssize(all));
      for (int64_t c = 0; c < count; ++c)
        parts_.push_back(
            {offset, {all.begin() + std::ssize(all) * c / count, all.begin() + std::ssize(all) * (c + 1) / count}});
    }
  }

  float* gradient(const KernelArguments& a, const MatrixView& view, int64_t offset) const {
    const int g = gradient_of_[view.input];
    return g < 0 ? nullptr : static_cast<float*>(a.outputs[static_cast<size_t>(g)]) + offset;
  }

  void differentiate(const KernelArguments& a, std::span<const void* const> inputs, int64_t matrix, int64_t slot,
                     float* bias_sums) const {
    const FusedAttention& f = op();
    Room room(static_cast<float*>(a.scratch) + slot * thread_floats_);
    float *const keys = room.take(keys_floats()), *const back = room.take(back_floats()),
                 *const values = room.take(values_floats()), *const p = room.take(scores_floats()),
                 *const ds = room.take(scores_floats()), *const some_queries = room.take(query_floats()),
                 *const some_values = room.take(value_floats()), *const key_sums = room.take(key_sums_floats()),
                 *const value_sums = room.take(value_sums_floats());
    float *const dq = gradient(a, f.q, blocks_.q_offset(matrix)),
                 *const dk = gradient(a, f.k, blocks_.k_offset(matrix)),
                 *const dv = gradient(a, f.v, blocks_.v_offset(matrix));
    const bool through_scores = dq || dk || bias_sums;
    const float *const q = blocks_.q(inputs, matrix), *const k = blocks_.k(inputs, matrix);
    const auto* const dy = static_cast<const float*>(a.inputs[0]) + blocks_.y_offset(matrix);
    const auto* const y = static_cast<const float*>(a.inputs[1]) + blocks_.y_offset(matrix);
    const auto* const largest = static_cast<const float*>(a.inputs[2]) + matrix * 2 * f.queries;
    const RowLoops& loops = row_loops();
    blocks_.pack_keys(k, keys);
    if (dq) blocks_.pack(k, f.keys, f.k.row, f.width, f.k.column, f.scale, back);
    if (through_scores) blocks_.pack(blocks_.v(inputs, matrix), f.value_width, 1, f.keys, f.v.row, 1, values);
    const int64_t width = blocks_.padded(f.width), value_width = blocks_.padded(f.value_width), pitch = blocks_.pitch();
    for (int64_t first = 0; first < f.queries; first += blocks_.rows()) {
      const int64_t last = std::min(f.queries, first + blocks_.rows()), rows = last - first;
      blocks_.scores(inputs, matrix, first, last, keys, p);
      for (int64_t r = 0; r < rows; ++r)
        score_rows().probabilities(f.keys, blocks_.biases(inputs, matrix, first + r).data(), std::ssize(f.biases),
                                   largest[first + r], largest[f.queries + first + r], p + r * pitch);
      if (dv) {
        const auto [from, from_row] =
            whole_vectors(dy + first * f.result.row, f.result.row, rows, f.value_width, some_values);
        blocks_.add_transposed(rows, p, value_width, from, from_row, value_sums, first == 0);
      }
      if (!through_scores) continue;
      blocks_.multiply(rows, f.keys, f.value_width, dy + first * f.result.row, f.result.row, values, ds, pitch);
      for (int64_t r = 0; r < rows; ++r) {
        const auto total = static_cast<float>(
            loops.dot(f.value_width, dy + (first + r) * f.result.row, y + (first + r) * f.result.row));
        loops.softmax_gradient(f.keys, ds + r * pitch, p + r * pitch, total, ds + r * pitch);
        if (bias_sums) vector_loops().add_scaled(f.keys, ds + r * pitch, 1, bias_sums + (first + r) * f.keys);
      }
      if (dk) {
        const auto [from, from_row] = whole_vectors(q + first * f.q.row, f.q.row, rows, f.width, some_queries);
        blocks_.add_transposed(rows, ds, width, from, from_row, key_sums, first == 0);
      }
      if (dq) {
        blocks_.multiply(rows, f.width, f.keys, ds, pitch, back, some_queries, width);
        for (int64_t r = 0; r < rows; ++r) std::copy_n(some_queries + r * width, f.width, dq + (first + r) * f.q.row);
      }
    }
    for (int64_t t = 0; dk && t < f.keys; ++t) {
      const float* const from = key_sums + t * width;
      if (f.k.column == 1) {
        loops.scale(f.width, from, f.scale, dk + t * f.k.row);
        continue;
      }
      for (int64_t d = 0; d < f.width; ++d) dk[t * f.k.row + d * f.k.column] = f.scale * from[d];
    }
    for (int64_t t = 0; dv && t < f.keys; ++t)
      std::copy_n(value_sums + t * value_width, f.value_width, dv + t * f.v.row);
  }

  /// Rows that can be read in whole vectors: the given ones, or a copy with zeros behind each. With the floats from one
  /// to the next.
  std::pair<const float*, int64_t> whole_vectors(const float* from, int64_t row, int64_t rows, int64_t columns,
                                                 float* copy) const {
    const int64_t padded = blocks_.padded(columns);
    if (padded == columns) return {from, row};
    for (int64_t r = 0; r < rows; ++r) {
      std::copy_n(from + r * row, columns, copy + r * padded);
      std::fill_n(copy + r * padded + columns, padded - columns, 0.0f);
    }
    return {copy, padded};
  }

  void sum_bias(const float* sums, const KernelArguments& a) const {
    const MatrixView& bias = op().biases[static_cast<size_t>(bias_)];
    auto* const to = gradient(a, bias, 0);
    std::fill_n(to, elements_[static_cast<size_t>(gradient_of_[bias.input])], 0.0f);
    for (const Part& part : parts_) {
      for (int64_t r = 0; r < op().queries; ++r, sums += op().keys)
        vector_loops().add_scaled(op().keys, sums, 1, to + part.bias_offset + r * bias.row);
    }
  }

  AttentionBlocks blocks_;
  std::vector<int> gradient_of_;             // by input: the output that is its gradient, or -1
  std::vector<int64_t> elements_, covered_;  // by output: all of them, and those that views reach
  int bias_ = -1;                            // the one whose gradient is wanted
  std::vector<Part> parts_;
  int64_t threads_ = 1, thread_floats_ = 0;
};

}  // namespace

void register_attention(KernelTable& table) {
  table.add<FusedAttention>([](const FusedAttention& op, const KernelRequest& request) -> std::unique_ptr<Kernel> {
    require_f32(request);
    return std::make_unique<Attention>(op);
  });
  table.add<FusedAttentionGradient>(
      [](const FusedAttentionGradient& op, const KernelRequest& request) -> std::unique_ptr<Kernel> {
        require_f32(request);
        return std::make_unique<AttentionGradient>(op, request);
      });
}

}  // namespace graft::cpu
