#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace graft::cuda {

/// What an emulated device is given to do: done at once, or, while it is recorded, kept for later and not done, as a
/// stream keeps it.
class EmulatedStream {
 public:
  using Work = std::vector<std::function<void()>>;

  template <typename Piece>
  void take(Piece&& piece) {
    if (kept_)
      kept_->emplace_back(std::forward<Piece>(piece));
    else
      piece();
  }
  /// Calls `queue_work` and returns what was given meanwhile.
  Work capture(const std::function<void()>& queue_work) {
    Work work;
    const Restore restore{kept_, std::exchange(kept_, &work)};
    queue_work();
    return work;
  }
  bool is_capturing() const { return kept_ != nullptr; }

 private:
  struct Restore {
    Work*& kept;
    Work* before;
    ~Restore() { kept = before; }
  };
  Work* kept_ = nullptr;
};

}  // namespace graft::cuda
