#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace graft {

class Event;

/// A queue of work on a device, executed in the order in which it was queued. Owned by its Device.
class Stream {
 public:
  virtual ~Stream() = default;
  /// What is queued here from now on starts once the work before the event's last record() is done; at once for an
  /// event that was never recorded. Returns without waiting.
  virtual void wait(const Event& event) = 0;
  /// Returns when everything queued here is done. Throws Error when some of it failed.
  virtual void synchronize() = 0;
};

/// A position in a stream. Not thread-safe.
class Event {
 public:
  virtual ~Event() = default;
  /// The event now stands for everything queued on `stream` so far. Both belong to one device.
  virtual void record(Stream& stream) = 0;
  /// Returns when the work before the last record() is done, whatever was queued behind it; at once for an event that
  /// was never recorded. Throws Error when the work failed.
  virtual void synchronize() const = 0;
};

/// Memory of a device, or page-locked memory of the program, from and to which copies run fastest and asynchronously.
enum class MemoryKind : uint8_t { device, staging };
enum class CopyDirection : uint8_t { host_to_device, device_to_host, device_to_device };

template <MemoryKind kind>
class Buffer;

/// What a backend's kernels run on: memory, which DeviceBuffer and StagingBuffer own, and two streams. Kernels run on
/// the compute stream; the copy stream moves data while they do. Used by one thread at a time.
class Device {
 public:
  virtual ~Device() = default;
  virtual Stream& compute_stream() const = 0;
  virtual Stream& copy_stream() const = 0;
  /// Throws Error when the device gives none.
  virtual std::unique_ptr<Event> make_event() const = 0;
  /// Queues a copy. Host memory of a StagingBuffer must stay as it is until the stream has come so far; other host
  /// memory that is read may change when the call returns, and other host memory that is written holds the bytes once
  /// the stream is synchronised. Throws Error when the copy cannot be queued.
  virtual void copy_async(void* to, const void* from, size_t bytes, CopyDirection direction, Stream& stream) const = 0;
  /// What could still be allocated on the device, in bytes.
  virtual size_t available() const = 0;
  /// True of the processor: kernels read and write the program's own memory, so that nothing has to be copied.
  virtual bool shares_host_memory() const { return false; }

  /// The usual copies: in order with the kernels.
  void upload(void* device, const void* host, size_t bytes) const {
    copy_async(device, host, bytes, CopyDirection::host_to_device, compute_stream());
  }
  void download(void* host, const void* device, size_t bytes) const {
    copy_async(host, device, bytes, CopyDirection::device_to_host, compute_stream());
  }
  void synchronize() const { compute_stream().synchronize(); }

 private:
  template <MemoryKind kind>
  friend class Buffer;
  /// `bytes` is at least 1. Device memory is 256-byte aligned, staging memory 64-byte. Throws Error when there is not
  /// so much.
  virtual void* allocate(MemoryKind kind, size_t bytes) const = 0;
  /// Work that was queued before and uses the memory is done first, or finds it as it was.
  virtual void release(MemoryKind kind, void* address) const noexcept = 0;
};

/// Owns memory of one kind. Move-only; empty when made without a device or moved from. The device outlives it.
template <MemoryKind kind>
class Buffer {
 public:
  Buffer() = default;
  /// Contents are undefined. Of 0 bytes: an address of its own, at which nothing may be read. Throws Error when there
  /// is not so much memory.
  Buffer(const Device& device, size_t bytes)
      : memory_(device.allocate(kind, std::max<size_t>(bytes, 1)), Release{&device}), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept : memory_(std::move(other.memory_)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    memory_ = std::move(other.memory_);
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }
  ~Buffer() = default;

  explicit operator bool() const { return memory_ != nullptr; }
  void* data() const { return memory_.get(); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(memory_.get());
  }
  size_t bytes() const { return bytes_; }

 private:
  struct Release {
    const Device* device = nullptr;
    void operator()(void* address) const noexcept { device->release(kind, address); }
  };
  std::unique_ptr<void, Release> memory_;
  size_t bytes_ = 0;
};

using DeviceBuffer = Buffer<MemoryKind::device>;
using StagingBuffer = Buffer<MemoryKind::staging>;

}  // namespace graft
