#pragma once

#include "runtime/core/backend.h"
#include "runtime/core/picture_bytes.h"

namespace graft {

/// The extension "pictures" of a backend: bytes become a network's input where the network is.
class DevicePictures : public BackendExtension {
 public:
  static constexpr const char* kName = "pictures";
  /// Queues it. All addresses are the device's; `to` holds pictures × height × width × channels floats.
  virtual void normalise(const PictureBytes& pictures, float* to) const = 0;
};

}  // namespace graft
