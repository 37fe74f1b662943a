#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace graft {

/// a · bᵀ: `a` is rows × width, `b` is columns × width, the result rows × columns, all row-major float32. The same bits
/// for any number of threads. Throws Error (out_of_memory).
std::vector<float> inner_products(std::span<const float> a, std::span<const float> b, size_t width);

/// Scales each row to unit length; rows of zeros stay zeros.
void make_unit(std::span<float> rows, size_t length);

/// Makes each of `count` rows of `length` of unit length and at right angles to those before it, by Gram-Schmidt, twice
/// [Giraud et al. 2005]; a row that is within those before it becomes 0.
void make_orthonormal(std::span<float> rows, size_t length);

}  // namespace graft
