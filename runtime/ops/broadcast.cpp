#include "runtime/ops/broadcast.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace graft {

Shape broadcast(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t da = i + a.size() >= rank ? a[i + a.size() - rank] : 1;
    const int64_t db = i + b.size() >= rank ? b[i + b.size() - rank] : 1;
    if (da != db && da != 1 && db != 1) throw Error("shapes " + a.str() + " and " + b.str() + " do not broadcast");
    result[i] = da == 1 ? db : da;
  }
  return result;
}

Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target) {
  Strides result(target.size(), 0);
  const size_t offset = target.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1) result[i + offset] = strides[i];
  return result;
}

}  // namespace graft
