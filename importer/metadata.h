#pragma once

#include <map>
#include <string>
#include <vector>

#include "importer/model.h"

namespace graft {

/// metadata_props as the file holds them, and the parts that graft understands.
Metadata metadata_from_properties(const std::map<std::string, std::string>& properties);
std::map<std::string, std::string> properties_from_metadata(const Metadata& metadata);

/// The names that named_preprocessing knows, the likeliest first.
const std::vector<std::string>& preprocessing_names();

/// The named conventions of published networks: imagenet | tf | unit | caffe | raw, for pictures of this size; grey
/// where there is one channel. Throws Error for other names.
Preprocessing named_preprocessing(const std::string& name, const OnnxModel::Picture& picture);

}  // namespace graft
