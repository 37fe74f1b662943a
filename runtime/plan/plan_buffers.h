#pragma once

#include <map>
#include <vector>

#include "runtime/core/device.h"
#include "runtime/core/tensor.h"

namespace graft {

/// What a plan keeps where its backend has a device: copies of constants on it, and staging buffers in the program's
/// memory from which inputs are uploaded and to which outputs are downloaded.
class PlanBuffers {
 public:
  /// `device` outlives this object.
  explicit PlanBuffers(const Device& device) : device_(device) {}

  /// The device's copy of a constant, made once. One that changes follows the tensor at refresh(). `tensor` outlives
  /// this object.
  const void* constant(const Tensor& tensor, bool changes);
  void refresh();

  /// The pass of the plan before which an input is uploaded, or after which an output is downloaded. Both: an input
  /// that is an output as it came, which no kernel writes.
  enum class Pass : uint8_t { forward, backward, both };
  /// An input or output of a plan.
  struct Port {
    void* device = nullptr;
    size_t bytes = 0;
    const void* bound = nullptr;  // inputs: uploaded from here instead of the plan's own staging buffer
    Pass pass = Pass::forward;
    bool resident = false;  // stays on the device: nothing is transferred
  };
  enum class Direction : bool { in, out };
  /// Ports are added once, in the order of the graph's inputs and outputs.
  void add(Direction direction, Port port);
  Port& port(Direction direction, size_t i) { return ports(direction)[i].port; }
  /// The staging buffer of a port, allocated when it is first asked for.
  void* staging(Direction direction, size_t i);

  /// Queues the uploads of one pass.
  void upload_inputs(Pass pass);
  /// Returns when the outputs of one pass are in the staging buffers; at once where none is downloaded.
  void download_outputs(Pass pass);

  /// Whether there is a port that does not stay on the device.
  bool has_transfers() const;

  const Device& device() const { return device_; }

 private:
  struct Constant {
    DeviceBuffer copy;
    bool changes;
  };
  struct StagedPort {
    Port port;
    StagingBuffer staging;
  };
  std::vector<StagedPort>& ports(Direction direction) { return direction == Direction::in ? inputs_ : outputs_; }

  const Device& device_;
  std::map<const Tensor*, Constant> constants_;
  std::vector<StagedPort> inputs_, outputs_;
};

}  // namespace graft
