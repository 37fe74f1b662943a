#include "runtime/core/npy.h"

#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/core/integer.h"
#include "runtime/core/npy_header.h"

namespace graft {
namespace {

constexpr char kMagic[] = "\x93NUMPY\x01\x00";
constexpr size_t kMagicBytes = 8, kLongestHeader = size_t{1} << 20;

std::string code_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::f64:
      return "<f8";
    case DType::i64:
      return "<i8";
    case DType::i32:
      return "<i4";
    case DType::u8:
      return "|u1";
    case DType::i8:
      return "|i1";
    case DType::boolean:
      return "|b1";
    case DType::f16:
      return "<f2";
    case DType::bf16:
      break;
  }
  throw Error(std::string("NumPy has no ") + name_of(dtype));
}

std::string field(const std::string& text, const std::string& key) {
  const size_t at = text.find("'" + key + "':");
  if (at == std::string::npos) throw Error("header has no " + key);
  return text.substr(at + key.size() + 3);
}

DType dtype_with_code(const std::string& code) {
  for (const DType dtype :
       {DType::f32, DType::f64, DType::f16, DType::i64, DType::i32, DType::u8, DType::i8, DType::boolean})
    if (code == code_of(dtype)) return dtype;
  throw Error("holds elements of type " + code + ", which graft does not read", "save it as float32",
              ErrorCode::unsupported);
}

}  // namespace

std::string npy_header(DType dtype, const Shape& shape) { return npy_header(code_of(dtype), shape); }

std::string npy_header(const std::string& code, const Shape& shape) {
  std::string dims;
  for (int64_t d : shape) dims += std::to_string(d) + ",";
  std::string text = "{'descr': '" + code + "', 'fortran_order': False, 'shape': (" + dims + "), }";
  while ((kMagicBytes + 2 + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::string result(kMagic, kMagicBytes);
  result += static_cast<char>(text.size() & 0xff);
  result += static_cast<char>(text.size() >> 8);
  return result + text;
}

NpyHeader read_npy_header(std::istream& stream) {
  std::string start(kMagicBytes, '\0');
  if (!stream.read(start.data(), kMagicBytes) || start.compare(0, 6, kMagic, 6) != 0) throw Error("is not a .npy file");
  const int version = static_cast<unsigned char>(start[6]);
  if (version < 1 || version > 3)
    throw Error("has .npy version " + std::to_string(version) + ", 1 to 3 are read", "save it with numpy.save",
                ErrorCode::unsupported);
  std::string size(version == 1 ? 2 : 4, '\0');  // little-endian
  if (!stream.read(size.data(), static_cast<std::streamsize>(size.size()))) throw Error("is truncated");
  size_t length = 0;
  for (size_t i = 0; i < size.size(); ++i) length |= size_t{static_cast<unsigned char>(size[i])} << (8 * i);
  if (length > kLongestHeader) throw Error("header of " + std::to_string(length) + " bytes is not plausible");
  std::string text(length, '\0');
  if (!stream.read(text.data(), static_cast<std::streamsize>(length))) throw Error("is truncated");
  if (field(text, "fortran_order").find("True") < 3)
    throw Error("is in Fortran order", "save numpy.ascontiguousarray(x)", ErrorCode::unsupported);
  const std::string code = field(text, "descr");
  const auto at = code.find('\'');
  NpyHeader result{dtype_with_code(at == std::string::npos ? "" : code.substr(at + 1, 3)), {}};
  const std::string dims = field(text, "shape");
  const auto open = dims.find('('), close = dims.find(')');
  if (open == std::string::npos || close == std::string::npos) throw Error("header has no shape");
  std::stringstream list(dims.substr(open + 1, close - open - 1));
  for (std::string part; std::getline(list, part, ',');) {
    if (part.find_first_of("0123456789") == std::string::npos) continue;
    try {
      result.shape.push_back(std::stoll(part));
    } catch (const std::exception&) {
      throw Error("header has an impossible shape");
    }
  }
  return result;
}

namespace {

/// read(stream) of a file; an Error of its says which.
template <typename Read>
auto read_file(const std::string& path, const Read& read) {
  return with_place([&] { return path; },
                    [&] {
                      return with_code(ErrorCode::corrupt_file, [&] {
                        std::ifstream stream(path, std::ios::binary);
                        if (!stream) throw Error("cannot be opened", "check the path", ErrorCode::not_found);
                        return read(stream);
                      });
                    });
}

}  // namespace

Tensor read_npy(const std::string& path) {
  return read_file(path, [](std::ifstream& stream) {
    const NpyHeader header = read_npy_header(stream);
    const auto begin = stream.tellg();
    stream.seekg(0, std::ios::end);
    const auto available = static_cast<int64_t>(stream.tellg() - begin);
    if (checked_multiply(header.shape.elements(), static_cast<int64_t>(size_of(header.dtype))) > available)
      throw Error("is truncated");
    stream.seekg(begin);
    Tensor t(header.dtype, header.shape);
    stream.read(static_cast<char*>(t.raw()), static_cast<std::streamsize>(t.bytes()));
    normalise_booleans(t);
    return header.dtype == DType::f16 ? cast(t, DType::f32) : std::move(t);
  });
}

Shape read_npy_shape(const std::string& path) {
  return read_file(path, [](std::ifstream& stream) { return read_npy_header(stream).shape; });
}

void write_npy(const std::string& path, const Tensor& tensor) {
  write_atomically(path, [&](std::ostream& stream) {
    stream << npy_header(tensor.dtype(), tensor.shape());
    stream.write(static_cast<const char*>(tensor.raw()), static_cast<std::streamsize>(tensor.bytes()));
  });
}

}  // namespace graft
