#pragma once

#include "runtime/core/error.h"

namespace graft {

/// A training whose scores are infinite or no numbers: it has diverged.
class ScoresNotFinite final : public Error {
 public:
  ScoresNotFinite() : Error("the network's scores are no longer finite numbers", "use a lower " + mention("lr")) {}
};

}  // namespace graft
