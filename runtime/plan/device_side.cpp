#include "runtime/plan/device_side.h"

#include <algorithm>

namespace graft {
namespace {

bool crosses(const DeviceSide::Port& port, DeviceSide::Passes pass) {
  return !port.resident && (port.passes == pass || port.passes == DeviceSide::Passes::both);
}

}  // namespace

const void* DeviceSide::constant(const Tensor& tensor, bool changes) {
  const auto [at, is_new] = constants_.try_emplace(&tensor, Copy{{nullptr, ReleaseDevice{&memory_}}, changes});
  if (is_new) {
    at->second.device.reset(memory_.allocate(std::max<size_t>(tensor.bytes(), 1)));
    memory_.upload(at->second.device.get(), tensor.raw(), tensor.bytes());
  }
  at->second.changes |= changes;
  return at->second.device.get();
}

void DeviceSide::refresh() {
  for (const auto& [tensor, copy] : constants_)
    if (copy.changes) memory_.upload(copy.device.get(), tensor->raw(), tensor->bytes());
}

void DeviceSide::add(Direction direction, Port port) {
  ports(direction).push_back({port, {nullptr, ReleaseHost{&memory_}}});
}

void* DeviceSide::host(Direction direction, size_t i) {
  Room& room = ports(direction)[i];
  if (!room.host) room.host.reset(memory_.allocate_host(std::max<size_t>(room.port.bytes, 1)));
  return room.host.get();
}

void DeviceSide::bring_inputs(Passes pass) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Port& p = inputs_[i].port;
    if (crosses(p, pass)) memory_.upload(p.device, p.bound ? p.bound : host(Direction::in, i), p.bytes);
  }
}

bool DeviceSide::anything_crosses() const {
  const auto crosses = [](const Room& room) { return !room.port.resident; };
  return std::any_of(inputs_.begin(), inputs_.end(), crosses) || std::any_of(outputs_.begin(), outputs_.end(), crosses);
}

void DeviceSide::fetch_outputs(Passes pass) {
  bool any = false;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Port& p = outputs_[i].port;
    if (!crosses(p, pass)) continue;
    memory_.download(host(Direction::out, i), p.device, p.bytes);
    any = true;
  }
  if (any) memory_.wait();
}

}  // namespace graft
