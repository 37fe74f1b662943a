#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace graft {

/// What kind of failure it is, for programs that act on it.
enum class ErrorCode : uint8_t {
  invalid_argument,
  not_found,
  unsupported,
  out_of_memory,
  corrupt_file,
  io,
  internal,
};

/// A setting ("batch") as the text of an Error mentions it: what() gives its name, Error::text() lets a program write
/// it the way it is set there ("--batch").
std::string mention(std::string_view setting);

/// The one exception of graft: what is wrong, the chain of places it passed (file, node, operator), which setting it is
/// about, and what to do. what() reads `PLACE: PLACE: SETTING: PROBLEM: REMEDY`.
class Error : public std::runtime_error {
 public:
  /// Settings in both texts are written by mention().
  explicit Error(std::string problem, std::string remedy = {}, ErrorCode code = ErrorCode::invalid_argument);

  /// The same error, about this setting: `throw Error(…).about("mixup")`.
  Error about(std::string setting) &&;
  /// The setting that has to change, or empty.
  const std::string& setting() const { return setting_; }
  ErrorCode code() const { return code_; }

  /// Puts `place` in front of the chain; each layer adds its own as the exception passes.
  void add_place(const std::string& place);
  const char* what() const noexcept override { return text_.c_str(); }

  /// what(), with every setting as `written` gives it.
  using Writing = std::function<std::string(std::string_view setting)>;
  std::string text(const Writing& written) const;

 private:
  void compose();
  std::string places_, setting_, problem_, remedy_, text_;
  ErrorCode code_;
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
