#include "runtime/cuda/library.h"

#include <sstream>

namespace graft::cuda {

std::string ConvolutionProblem::str() const {
  const char* const kinds[] = {"convolution", "gradient of a convolution's input",
                               "gradient of a convolution's weights"};
  const auto two = [](int64_t a, int64_t b) { return std::to_string(a) + "," + std::to_string(b); };
  const Window2d& v = window;
  return std::string(kinds[static_cast<int>(kind)]) + " " + name_of(dtype) + " x " + x.str() + " w " + w.str() + " y " +
         y.str() + " stride " + two(v.stride.height, v.stride.width) + " dilation " +
         two(v.dilation.height, v.dilation.width) + " pads " + two(v.padding.top, v.padding.left) + "," +
         two(v.padding.bottom, v.padding.right) + (bias ? " bias" : "") + (residual ? " residual" : "") +
         " activation " + std::to_string(static_cast<int>(activation.kind));
}

std::string ProductProblem::str() const {
  std::ostringstream text;
  text << "product " << name_of(dtype) << ' ' << m << 'x' << n << 'x' << k << (transpose_a ? " T" : " N")
       << (transpose_b ? "T" : "N") << " rows " << a_row << ',' << b_row << ',' << y_row << " batch " << batch << ','
       << a_step << ',' << b_step << ',' << y_step << (residual ? " residual" : "");
  return text.str();
}

}  // namespace graft::cuda
