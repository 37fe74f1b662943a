#pragma once

#include "importer/model.h"

namespace graft {

/// Of several outputs puts that of a classifier first where the first one is no scores, and says in a note which output
/// is read and which are not.
void put_classifier_first(OnnxModel& model);

}  // namespace graft
