#include "runtime/core/error.h"

namespace graft {
namespace {

// Around a mentioned setting; no text of a user or a file holds them by chance.
constexpr char kBegin = '\x01', kEnd = '\x02';

std::string with_settings(const std::string& text, const Error::Writing& written) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find(kBegin, at), end = begin == std::string::npos ? begin : text.find(kEnd, begin);
    if (end == std::string::npos) return result + text.substr(at);
    result += text.substr(at, begin - at) + written(std::string_view(text).substr(begin + 1, end - begin - 1));
    at = end + 1;
  }
  return result;
}

}  // namespace

std::string mention(std::string_view setting) { return kBegin + std::string(setting) + kEnd; }

Error::Error(std::string problem, std::string remedy, ErrorCode code)
    : std::runtime_error(problem), problem_(std::move(problem)), remedy_(std::move(remedy)), code_(code) {
  compose();
}

Error Error::about(std::string setting, std::string value) && {
  setting_ = std::move(setting);
  value_ = std::move(value);
  compose();
  return std::move(*this);
}

void Error::add_place(const std::string& place) {
  if ((places_.empty() ? problem_ : places_).starts_with(place + ": ")) return;  // whoever threw it said so
  places_ = place + ": " + places_;
  compose();
}

void Error::classify(ErrorCode code) {
  if (code_ == ErrorCode::invalid_argument) code_ = code;
}

void Error::compose() {
  text_ = text([](std::string_view setting) { return std::string(setting); });
}

std::string Error::text(const Writing& written) const {
  std::string text = places_;
  if (!setting_.empty()) text += written(setting_) + (value_.empty() ? "" : " " + value_) + ": ";
  text += problem_;
  if (!remedy_.empty()) text += ": " + remedy_;
  return with_settings(text, written);
}

}  // namespace graft
