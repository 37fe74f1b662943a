#include "runtime/inputs_ahead.h"

#include <cstring>

namespace graft {

std::unique_ptr<InputsAhead> InputsAhead::make(Plan& plan, size_t count) {
  const DeviceMemory* const memory = plan.backend().memory();
  if (!memory) return nullptr;
  std::unique_ptr<InputsAhead> made(new InputsAhead(*memory));
  for (size_t i = 0; i < count; ++i) {
    const View view = plan.input(i);
    const size_t bytes = static_cast<size_t>(view.shape.elements()) * size_of(view.dtype);
    made->inputs_.push_back({plan.keep_input(i), memory->allocate(bytes), {memory->allocate_host(bytes), memory->allocate_host(bytes)}, bytes});
  }
  return made;
}

InputsAhead::~InputsAhead() {
  for (const Input& input : inputs_) {
    memory_.release(input.room);
    for (void* host : input.host) memory_.release_host(host);
  }
}

void InputsAhead::send(std::span<const float* const> inputs) {
  turn_ = 1 - turn_;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    void* const host = inputs_[i].host[turn_];
    std::memcpy(host, inputs[i], inputs_[i].bytes);
    memory_.send_beside(inputs_[i].room, host, inputs_[i].bytes);
  }
  sent_ = true;
}

void InputsAhead::take() {
  for (const Input& input : inputs_) memory_.take(input.device, input.room, input.bytes);
  sent_ = false;
}

}  // namespace graft
