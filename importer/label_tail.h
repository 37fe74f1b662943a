#pragma once

#include <string>
#include <vector>

#include "onnx.pb.h"

namespace graft {

/// Takes away what makes names of scores at a graph's end, which graft's graphs have no strings for, and returns the
/// names in the order of the scores; empty where there are none. Known are ZipMap, ArrayFeatureExtractor, LabelEncoder
/// and LinearClassifier of ai.onnx.ml, as Custom Vision and converters of other tools write them, and Gather from a
/// constant of strings. ZipMap's scores stay an output; outputs of strings go where there are others, and otherwise
/// become the numbers of the classes.
std::vector<std::string> take_label_tail(onnx::GraphProto& graph);

}  // namespace graft
