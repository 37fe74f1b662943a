#pragma once

#include "finetune/heads/head_builder.h"

namespace graft::heads {

/// One dense layer.
class Linear : public Head {
 public:
  static constexpr ComponentText kText{"linear", "one dense layer", "f = Wx + b"};
  using Options = HeadOptions;
  explicit Linear(const Options& options)
      : initialiser_(read_initialiser(options.initialiser)), dropout_(options.dropout) {}
  ValueId append(HeadBuilder& builder, ValueId features) const override {
    return builder.scores(builder.dropout(features, dropout_), initialiser_);
  }

 private:
  Initialiser initialiser_;
  HeadDropout dropout_;
};

/// The same layer: what makes it a support vector machine is the loss.
class SupportVectors final : public Linear {
 public:
  static constexpr ComponentText kText{"svm", "one dense layer, trained with a hinge loss where none is given",
                                       "f = Wx + b"};
  using Linear::Linear;
};

/// The same layer, whose weights are class means: a search fits it (RecipeProblem::class_means), no training does.
class ClassMeans final : public Linear {
 public:
  static constexpr ComponentText kText{
      "prototype", "each class by the mean of its pictures, from one picture a class on; no layer is trained",
      "f_c = ⟨x, μ_c⟩ - ‖μ_c‖²/2 on standardised features"};
  struct Options {
    void describe(SettingVisitor&) {}
  };
  explicit ClassMeans(const Options&) : Linear(HeadOptions{}) {}
};

}  // namespace graft::heads
