#pragma once

#include "importer/model.h"

namespace graft {

/// Of several outputs puts that of a classifier first, or where there is none one that depends on the picture, and says
/// in a note which output is read and which are not.
void put_classifier_first(OnnxModel& model);

}  // namespace graft
