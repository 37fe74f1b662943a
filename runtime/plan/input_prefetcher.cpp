#include "runtime/plan/input_prefetcher.h"

#include <cstring>

namespace graft {

std::unique_ptr<InputPrefetcher> InputPrefetcher::make(Plan& plan, size_t count) {
  const DeviceMemory* const memory = plan.backend().memory();
  if (!memory) return nullptr;
  std::unique_ptr<InputPrefetcher> made(new InputPrefetcher(*memory));
  for (size_t i = 0; i < count; ++i) {
    const View view = plan.input(i);
    made->inputs_.push_back({plan.keep_input(i), static_cast<size_t>(view.shape.elements()) * size_of(view.dtype)});
  }
  return made;
}

InputPrefetcher::~InputPrefetcher() {
  for (const Input& input : inputs_) {
    if (!input.room) continue;
    memory_.release(input.room);
    for (void* host : input.host) memory_.release_host(host);
  }
}

void InputPrefetcher::send(std::span<const float* const> inputs, std::span<const void* const> there) {
  turn_ = 1 - turn_;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    if (i < there.size()) {
      input.from = there[i];
      continue;
    }
    if (!input.room) {
      input.from = input.room = memory_.allocate(input.bytes);
      for (void*& host : input.host) host = memory_.allocate_host(input.bytes);
    }
    std::memcpy(input.host[turn_], inputs[i], input.bytes);
    memory_.send_beside(input.room, input.host[turn_], input.bytes);
  }
  sent_ = true;
}

void InputPrefetcher::take() {
  for (const Input& input : inputs_) memory_.take(input.device, input.from, input.bytes);
  sent_ = false;
}

}  // namespace graft
