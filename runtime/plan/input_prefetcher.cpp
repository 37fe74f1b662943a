#include "runtime/plan/input_prefetcher.h"

#include <cstring>

namespace graft {

PrefetchBuffer::PrefetchBuffer(const Device& device, size_t bytes)
    : device_(device),
      staging_{{device, bytes}, {device, bytes}},
      arrived_(device, bytes),
      copied_{device.make_event(), device.make_event()},
      consumed_(device.make_event()) {}

void* PrefetchBuffer::next_staging() {
  const int next = 1 - current_;
  copied_[next]->synchronize();
  return staging_[next].data();
}

void PrefetchBuffer::prefetch() {
  current_ = 1 - current_;
  Stream& copies = device_.copy_stream();
  copies.wait(*consumed_);
  device_.copy_async(arrived_.data(), staging_[current_].data(), arrived_.bytes(), CopyDirection::host_to_device,
                     copies);
  copied_[current_]->record(copies);
}

void PrefetchBuffer::consume(void* to) {
  Stream& compute = device_.compute_stream();
  compute.wait(*copied_[current_]);
  device_.copy_async(to, arrived_.data(), arrived_.bytes(), CopyDirection::device_to_device, compute);
  consumed_->record(compute);
}

InputPrefetcher::InputPrefetcher(Plan& plan, size_t count) : device_(*plan.backend().device()) {
  for (size_t i = 0; i < count; ++i) {
    const View view = plan.input(i);
    inputs_.push_back(
        {plan.keep_input(i), static_cast<size_t>(view.shape.elements()) * size_of(view.dtype), nullptr, nullptr});
  }
}

void InputPrefetcher::prefetch(std::span<const float* const> inputs, std::span<const void* const> device_inputs) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    input.resident = i < device_inputs.size() ? device_inputs[i] : nullptr;
    if (input.resident) continue;
    if (!input.buffer) input.buffer = std::make_unique<PrefetchBuffer>(device_, input.bytes);
    std::memcpy(input.buffer->next_staging(), inputs[i], input.bytes);
    input.buffer->prefetch();
  }
  pending_ = true;
}

void InputPrefetcher::stage() {
  for (const Input& input : inputs_) {
    if (input.resident)
      device_.copy_async(input.target, input.resident, input.bytes, CopyDirection::device_to_device,
                         device_.compute_stream());
    else
      input.buffer->consume(input.target);
  }
  pending_ = false;
}

}  // namespace graft
