#include "runtime/core/error.h"

namespace graft {

Error::Error(std::string problem, std::string remedy)
    : std::runtime_error(problem), problem_(std::move(problem)), remedy_(std::move(remedy)) {
  compose();
}

void Error::add_place(const std::string& place) {
  places_ = place + ": " + places_;
  compose();
}

void Error::compose() {
  text_ = places_ + problem_;
  if (!remedy_.empty()) text_ += ": " + remedy_;
}

}  // namespace graft
