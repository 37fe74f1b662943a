#pragma once

#include <map>
#include <memory>
#include <vector>

#include "runtime/core/backend.h"

namespace graft {

/// What a plan keeps where its backend has memory of its own: copies of constants there, and room in the program's
/// memory from which inputs go and to which outputs come.
class DeviceSide {
 public:
  explicit DeviceSide(const DeviceMemory& memory) : memory_(memory) {}

  /// The device's copy of a constant, made once. One that changes follows the tensor at refresh().
  const void* constant(const Tensor& tensor, bool changes);
  void refresh();

  /// When a port is carried over. Both: an input that goes out as it came in, which no kernel dates.
  enum class Passes : uint8_t { forward, backward, both };
  /// An input or output of a plan.
  struct Port {
    void* device = nullptr;
    size_t bytes = 0;
    const void* bound = nullptr;  // inputs: read from here in the place of the plan's own room
    Passes passes = Passes::forward;
    bool resident = false;  // stays on the device: nothing is transferred
  };
  enum class Direction : bool { in, out };
  /// Ports are added once, in the order of the graph's inputs and outputs.
  void add(Direction direction, Port port);
  Port& port(Direction direction, size_t i) { return ports(direction)[i].port; }
  /// Room for a port in the program's memory, made when it is first asked for.
  void* host(Direction direction, size_t i);

  /// Queues the transfers of one pass.
  void bring_inputs(Passes pass);
  /// Returns when outputs have arrived; at once where none are fetched.
  void fetch_outputs(Passes pass);

  /// Whether there is a port that does not stay on the device.
  bool anything_crosses() const;

  const DeviceMemory& memory() const { return memory_; }

 private:
  struct ReleaseDevice {
    const DeviceMemory* memory;
    void operator()(void* p) const { memory->release(p); }
  };
  struct ReleaseHost {
    const DeviceMemory* memory;
    void operator()(void* p) const { memory->release_host(p); }
  };
  struct Copy {
    std::unique_ptr<void, ReleaseDevice> device;
    bool changes;
  };
  struct Room {
    Port port;
    std::unique_ptr<void, ReleaseHost> host;
  };
  std::vector<Room>& ports(Direction direction) { return direction == Direction::in ? inputs_ : outputs_; }

  const DeviceMemory& memory_;
  std::map<const Tensor*, Copy> constants_;
  std::vector<Room> inputs_, outputs_;
};

}  // namespace graft
