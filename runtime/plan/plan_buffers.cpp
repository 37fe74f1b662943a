#include "runtime/plan/plan_buffers.h"

#include <algorithm>

namespace graft {
namespace {

bool is_transferred(const PlanBuffers::Port& port, PlanBuffers::Pass pass) {
  return !port.resident && (port.pass == pass || port.pass == PlanBuffers::Pass::both);
}

}  // namespace

const void* PlanBuffers::constant(const Tensor& tensor, bool changes) {
  const auto [at, is_new] = constants_.try_emplace(&tensor, Constant{{}, changes});
  Constant& constant = at->second;
  if (is_new) {
    constant.copy = DeviceBuffer(device_, tensor.bytes());
    device_.upload(constant.copy.data(), tensor.raw(), tensor.bytes());
  }
  constant.changes |= changes;
  return constant.copy.data();
}

void PlanBuffers::refresh() {
  for (const auto& [tensor, constant] : constants_)
    if (constant.changes) device_.upload(constant.copy.data(), tensor->raw(), tensor->bytes());
}

void PlanBuffers::add(Direction direction, Port port) { ports(direction).push_back({port, {}}); }

void* PlanBuffers::staging(Direction direction, size_t i) {
  StagedPort& p = ports(direction)[i];
  if (!p.staging) p.staging = StagingBuffer(device_, p.port.bytes);
  return p.staging.data();
}

void PlanBuffers::upload_inputs(Pass pass) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Port& p = inputs_[i].port;
    if (is_transferred(p, pass)) device_.upload(p.device, p.bound ? p.bound : staging(Direction::in, i), p.bytes);
  }
}

bool PlanBuffers::has_transfers() const {
  const auto crosses = [](const StagedPort& p) { return !p.port.resident; };
  return std::any_of(inputs_.begin(), inputs_.end(), crosses) || std::any_of(outputs_.begin(), outputs_.end(), crosses);
}

void PlanBuffers::download_outputs(Pass pass) {
  bool any = false;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Port& p = outputs_[i].port;
    if (!is_transferred(p, pass)) continue;
    device_.download(staging(Direction::out, i), p.device, p.bytes);
    any = true;
  }
  if (any) device_.synchronize();
}

}  // namespace graft
