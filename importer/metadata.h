#pragma once

#include <map>
#include <string>

#include "importer/model.h"

namespace graft {

/// metadata_props as the file holds them, and the parts that graft understands.
Metadata metadata_from_properties(const std::map<std::string, std::string>& properties);
std::map<std::string, std::string> properties_from_metadata(const Metadata& metadata);

/// The named conventions of published networks: imagenet | tf | caffe | unit, for pictures of this size; grey where
/// there is one channel. Throws Error for other names.
Preprocessing named_preprocessing(const std::string& name, const OnnxModel::Picture& picture);

}  // namespace graft
