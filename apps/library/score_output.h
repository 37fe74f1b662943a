#pragma once

#include "importer/model.h"

namespace graft {

/// Of several outputs puts that of a classifier first, or where there is none one that depends on the picture, and says
/// in a note which output is read and which are not.
void put_classifier_first(OnnxModel& model);

/// Puts it back, for a file whose readers know its outputs' order.
void restore_output_order(OnnxModel& model);

}  // namespace graft
