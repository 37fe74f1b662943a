#pragma once

#include "finetune/heads/head_builder.h"

namespace graft::heads {

/// A dense layer of `hidden` outputs, ReLU, a dense layer.
class Mlp final : public Head {
 public:
  static constexpr ComponentText kText{"mlp", "a hidden layer in between", "f = W₂·max(0, W₁x + b₁) + b₂"};
  struct Options {
    int64_t hidden = 256;
    std::string initialiser;
    HeadDropout dropout;
    void describe(SettingVisitor& visit) {
      visit("hidden", hidden, {.low = 1, .high = 65536, .help = "outputs of the hidden layer"});
      visit("head-init", initialiser,
            {.help = "how weights begin: gaussian:SIGMA, he or xavier (empty: he, and gaussian:0.01 for the scores)"});
      dropout.describe(visit);
    }
  };
  explicit Mlp(const Options& o)
      : hidden_(o.hidden),
        first_(read_initialiser(o.initialiser.empty() ? "he" : o.initialiser)),
        last_(read_initialiser(o.initialiser.empty() ? "gaussian:0.01" : o.initialiser)),
        dropout_(o.dropout) {}
  ValueId append(HeadBuilder& builder, ValueId features) const override {
    const ValueId hidden = builder.relu(builder.dense(".hidden", features, hidden_, first_));
    return builder.scores(builder.dropout(hidden, dropout_), last_);
  }

 private:
  int64_t hidden_;
  Initialiser first_, last_;
  HeadDropout dropout_;
};

}  // namespace graft::heads
