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
  invalid_argument,  // a setting or an argument is not allowed, or does not fit the others; setting() often says which
  not_found,         // there is no such file, component, layer, class or device
  corrupt_file,      // a model, picture, checkpoint or array file is damaged, or not what it should be
  bad_data,          // the labelled pictures cannot be used: no classes, empty classes, rows that make no sense
  unsupported,       // graft cannot do this: an operator, an opset, a format, a gradient
  out_of_memory,     // the processor's memory or the device's does not suffice, or not within the given limit
  cancelled,         // the listener stopped the call before there was a result
  io,                // the system refuses to read or write: rights, a full disk
  internal,          // a mistake of graft's own, or of a library beneath it
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

  /// The same error, about this setting: `throw Error(…).about("mixup")`. With `value`, what it is set to, the text
  /// reads `SETTING VALUE: PROBLEM`.
  Error about(std::string setting, std::string value = {}) &&;
  /// The setting that has to change, by its name in docs/settings.md, or empty.
  const std::string& setting() const { return setting_; }
  ErrorCode code() const { return code_; }

  /// Puts `place` in front of the chain; each layer adds its own as the exception passes.
  void add_place(const std::string& place);
  /// Says what an invalid_argument is at this layer: a shape that no operator takes is, in a file, a corrupt_file.
  /// Errors with another code keep it.
  void classify(ErrorCode code);
  const char* what() const noexcept override { return text_.c_str(); }

  /// what(), with every setting as `written` gives it.
  using Writing = std::function<std::string(std::string_view setting)>;
  std::string text(const Writing& written) const;

 private:
  void compose();
  std::string places_, setting_, value_, problem_, remedy_, text_;
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

/// Calls `body`; an Error on its way out is classified.
template <typename Body>
decltype(auto) with_code(ErrorCode code, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (Error& error) {
    error.classify(code);
    throw;
  }
}

}  // namespace graft
