#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "runtime/core/error.h"

namespace graft {

/// A number of untrusted JSON (nlohmann::json) as an integer. A number with a fraction or beyond T's range is an Error:
/// the library's own conversion of such a double is undefined behaviour. What is no number throws the library's
/// exception.
template <typename T = int64_t, typename Json>
T json_integer(const Json& j) {
  bool fits = true;
  if (j.is_number_float()) {
    const double v = j.template get<double>();
    fits = std::abs(v) <= 9e15 && v == std::trunc(v);  // beyond, a double does not hold every integer
  } else if (j.is_number_unsigned()) {
    fits = j.template get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  }
  const int64_t value = fits ? j.template get<int64_t>() : 0;
  if (!fits || value < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
      value > static_cast<int64_t>(std::numeric_limits<T>::max()))
    throw Error("has the number " + j.dump() + " where a whole number in range belongs", {}, ErrorCode::corrupt_file);
  return static_cast<T>(value);
}

}  // namespace graft
