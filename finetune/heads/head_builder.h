#pragma once

#include <string>
#include <vector>

#include "finetune/heads/head.h"
#include "runtime/core/graph.h"
#include "runtime/core/initialiser.h"
#include "runtime/core/random.h"

namespace graft {

/// gaussian:SIGMA | he | xavier. Throws Error, about "head-init".
Initialiser read_initialiser(const std::string& text);

inline constexpr SettingTraits kHeadInit{.help = "how weights begin: gaussian:SIGMA, he or xavier"};

/// Dropout in front of the layer that scores.
struct HeadDropout {
  float part = 0;
  bool vanilla = false;
  void describe(SettingVisitor& visit) {
    visit("dropout", part,
          {.low = 0, .high = 0.95, .help = "part of the features that is left out of each training step"});
    visit("vanilla-dropout", vanilla, {.help = "scale in use instead of in training"});
  }
};

/// Options of a head of one layer.
struct HeadOptions {
  std::string initialiser = "gaussian:0.01";
  HeadDropout dropout;
  void describe(SettingVisitor& visit) {
    visit("head-init", initialiser, kHeadInit);
    dropout.describe(visit);
  }
};

/// Appends layers of a new head and notes their parameters; biases begin at zero.
class HeadBuilder {
 public:
  /// `name`: of the layer that scores, and the beginning of all others. `parameters` gets the names of new constants.
  HeadBuilder(Graph& graph, std::string name, int64_t classes, uint64_t seed, std::vector<std::string>& parameters);

  ValueId dropout(ValueId x, const HeadDropout& options);
  /// N×D → N×outputs. `suffix`: behind the head's name.
  ValueId dense(const std::string& suffix, ValueId x, int64_t outputs, const Initialiser& initialiser);
  ValueId relu(ValueId x);
  /// N×D → N×classes.
  ValueId scores(ValueId x, const Initialiser& initialiser) { return dense("", x, classes_, initialiser); }
  /// N×D×H×W → N×classes×H×W, by a 1×1 convolution.
  ValueId score_maps(ValueId maps, const Initialiser& initialiser);
  /// N×C×H×W → N×C
  ValueId average(ValueId maps);
  /// The maps whose average the features are. Throws Error where there are none.
  ValueId maps_of(ValueId features) const;

 private:
  std::pair<ValueId, ValueId> weights(const std::string& name, Shape shape, const Initialiser& initialiser);
  Graph& graph_;
  std::string name_;
  int64_t classes_;
  Random random_;
  std::vector<std::string>& parameters_;
};

}  // namespace graft
