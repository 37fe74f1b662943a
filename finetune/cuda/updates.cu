#include "finetune/optimizers/device_updates.h"

#include <algorithm>
#include <new>

#include "finetune/cuda/table.h"
#include "finetune/optimizers/rules/all.h"
#include "runtime/cuda/device_backend.h"

namespace graft::cuda {
namespace {

constexpr int64_t kPiece = 1024;  // neighbours in one parameter that are updated together

/// A parameter, and the rule with what it needs of this step.
template <typename Rule>
struct Bound {
  float *weights, *a, *b, *c;
  const float* gradient;
  int64_t count;
  float decay, l1;
  Rule rule;
};

/// Which part of which parameter a piece is.
struct Piece {
  int32_t parameter;
  int32_t index;
};

template <typename Rule>
struct UpdateOne {
  const Bound<Rule>* parameters;
  const Piece* pieces;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const Piece piece = pieces[i / kPiece];
    const Bound<Rule>& p = parameters[piece.parameter];
    const int64_t at = piece.index * kPiece + i % kPiece;
    if (at < p.count) rules::apply(p.rule, p.decay, p.l1, at, p.weights, p.gradient, p.a, p.b, p.c);
  }
};

int64_t pieces_of(const DeviceParameter& p) { return (p.count + kPiece - 1) / kPiece; }

size_t all_pieces(const std::vector<DeviceParameter>& parameters) {
  int64_t count = 0;
  for (const DeviceParameter& p : parameters) count += pieces_of(p);
  return static_cast<size_t>(count);
}

template <typename Rule>
class Update final : public DeviceUpdate {
 public:
  Update(const Rule& rule, const std::vector<DeviceParameter>& parameters, const Queue& queue, const DeviceMemory& memory)
      : rule_(rule), parameters_(parameters), queue_(queue), memory_(memory), bound_(parameters.size(), memory), pieces_(all_pieces(parameters), memory) {
    Piece* next = pieces_.host();
    for (size_t p = 0; p < parameters.size(); ++p)
      for (int64_t i = 0; i < pieces_of(parameters[p]); ++i) *next++ = {static_cast<int32_t>(p), static_cast<int32_t>(i)};
    pieces_.upload();
    memory_.wait();
  }

  void step(float lr, int64_t step) override {
    rule_.prepare(step);
    for (size_t p = 0; p < parameters_.size(); ++p) {
      const DeviceParameter& from = parameters_[p];
      Rule rule = rule_;
      rule.lr = lr * from.lr_scale;
      rule.decay = from.weight_decay;
      rule.bind();
      new (bound_.host() + p) Bound<Rule>{from.weights, from.slots[0], from.slots[1], from.slots[2], from.gradient, from.count, Rule::kCoupled ? from.weight_decay : 0.0f, from.l1, rule};
    }
    bound_.upload();
    queue_.each(static_cast<int64_t>(pieces_.count()) * kPiece, UpdateOne<Rule>{bound_.device(), pieces_.device()});
  }

 private:
  Rule rule_;
  std::vector<DeviceParameter> parameters_;
  const Queue& queue_;
  const DeviceMemory& memory_;
  Table<Bound<Rule>> bound_;
  Table<Piece> pieces_;
};

class Updates final : public DeviceUpdates {
 public:
  Updates(const Queue& queue, const DeviceMemory& memory) : queue_(queue), memory_(memory) {}
  bool knows(const std::string& name) const override {
    for (const char* known : {
#define GRAFT_ENTRY(rule_name) #rule_name,
             GRAFT_ELEMENT_RULES(GRAFT_ENTRY)
#undef GRAFT_ENTRY
         })
      if (name == known) return true;
    return false;
  }
  std::unique_ptr<DeviceUpdate> make(const std::string& name, const OptimizerOptions& options, const std::vector<DeviceParameter>& parameters) const override {
    const auto use = [&](const auto& rule) -> std::unique_ptr<DeviceUpdate> {
      return std::make_unique<Update<std::decay_t<decltype(rule)>>>(rule, parameters, queue_, memory_);
    };
#define GRAFT_ENTRY(rule_name) \
  if (name == #rule_name) return rules::rule_name(options, use);
    GRAFT_ELEMENT_RULES(GRAFT_ENTRY)
#undef GRAFT_ENTRY
    return nullptr;
  }

 private:
  const Queue& queue_;
  const DeviceMemory& memory_;
};

const ExtensionEntry kUpdates(DeviceUpdates::kName, [](const Queue& queue, const DeviceMemory& memory) -> std::unique_ptr<BackendExtension> { return std::make_unique<Updates>(queue, memory); });

}  // namespace
}  // namespace graft::cuda
