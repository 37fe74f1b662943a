#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace graft {

/// The one exception of graft: what is wrong, the chain of places it passed (file, node, operator), and what to do.
/// what() reads `PLACE: PLACE: PROBLEM: REMEDY`.
class Error : public std::runtime_error {
 public:
  explicit Error(std::string problem, std::string remedy = {});

  /// Puts `place` in front of the chain; each layer adds its own as the exception passes.
  void add_place(const std::string& place);
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  void compose();
  std::string places_, problem_, remedy_, text_;
};

/// Calls `body`; an Error on its way out gets `place` (a callable that makes the text, so that it costs nothing
/// otherwise).
template <typename Place, typename Body>
decltype(auto) with_place(Place&& place, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (Error& error) {
    error.add_place(place());
    throw;
  }
}

}  // namespace graft
