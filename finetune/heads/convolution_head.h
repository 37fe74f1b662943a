#pragma once

#include "finetune/heads/head_builder.h"

namespace graft::heads {

/// A 1×1 convolution of the last maps and their average: the same scores as a dense layer, with a map for each class.
class ConvolutionMaps final : public Head {
 public:
  static constexpr ComponentText kText{"conv", "a 1×1 convolution, which gives a map for each class, and its average",
                                       "f = mean over places of Wx + b"};
  using Options = HeadOptions;
  explicit ConvolutionMaps(const Options& options)
      : initialiser_(read_initialiser(options.initialiser)), dropout_(options.dropout) {}
  ValueId append(HeadBuilder& builder, ValueId features) const override {
    return builder.average(builder.score_maps(builder.dropout(builder.maps_of(features), dropout_), initialiser_));
  }

 private:
  Initialiser initialiser_;
  HeadDropout dropout_;
};

}  // namespace graft::heads
