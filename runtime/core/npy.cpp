#include "runtime/core/npy.h"

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/core/integer.h"

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

std::string header(const std::string& code, const std::vector<int64_t>& shape) {
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

std::string field(const std::string& text, const std::string& key) {
  const size_t at = text.find("'" + key + "':");
  if (at == std::string::npos) throw Error("header has no " + key);
  return text.substr(at + key.size() + 3);
}

std::string unicode_array(const std::vector<std::string>& texts) {
  std::vector<std::u32string> wide;
  size_t longest = 1;
  for (const std::string& s : texts) {
    std::u32string w;
    for (size_t i = 0; i < s.size();) {  // UTF-8; a byte that is none becomes the replacement character
      const auto c = static_cast<unsigned char>(s[i]);
      const size_t n = c < 0x80 ? 1 : (c >> 5) == 6 ? 2 : (c >> 4) == 14 ? 3 : (c >> 3) == 30 ? 4 : 0;
      if (n == 0 || i + n > s.size()) {
        w += U'\xfffd';
        ++i;
        continue;
      }
      char32_t v = n == 1 ? c : c & (0xff >> (n + 1));
      for (size_t k = 1; k < n; ++k) v = (v << 6) | (static_cast<unsigned char>(s[i + k]) & 0x3f);
      w += v;
      i += n;
    }
    longest = std::max(longest, w.size());
    wide.push_back(std::move(w));
  }
  std::string data = header("<U" + std::to_string(longest), {static_cast<int64_t>(texts.size())});
  for (std::u32string& w : wide) {
    w.resize(longest, U'\0');
    data.append(reinterpret_cast<const char*>(w.data()), w.size() * 4);
  }
  return data;
}

uint32_t crc32(const std::string& data) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  uint32_t c = 0xffffffffu;
  for (char b : data) c = table[(c ^ static_cast<unsigned char>(b)) & 0xff] ^ (c >> 8);
  return c ^ 0xffffffffu;
}

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

struct NpyHeader {
  DType dtype;
  Shape shape;
};

DType dtype_with_code(const std::string& code) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i64, DType::i32, DType::u8, DType::boolean})
    if (code == code_of(dtype)) return dtype;
  throw Error("holds elements of type " + code + ", which graft does not read", "save it as float32",
              ErrorCode::unsupported);
}

/// Leaves the stream where the elements begin.
NpyHeader read_header(std::istream& stream) {
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
    const NpyHeader header = read_header(stream);
    const auto begin = stream.tellg();
    stream.seekg(0, std::ios::end);
    const auto available = static_cast<int64_t>(stream.tellg() - begin);
    if (checked_multiply(header.shape.elements(), static_cast<int64_t>(size_of(header.dtype))) > available)
      throw Error("is truncated");
    stream.seekg(begin);
    Tensor t(header.dtype, header.shape);
    stream.read(static_cast<char*>(t.raw()), static_cast<std::streamsize>(t.bytes()));
    normalise_booleans(t);
    return t;
  });
}

Shape read_npy_shape(const std::string& path) {
  return read_file(path, [](std::ifstream& stream) { return read_header(stream).shape; });
}

void write_npy(const std::string& path, const Tensor& tensor) {
  write_atomically(path, [&](std::ostream& stream) {
    stream << header(code_of(tensor.dtype()), tensor.shape());
    stream.write(static_cast<const char*>(tensor.raw()), static_cast<std::streamsize>(tensor.bytes()));
  });
}

void write_npz(const std::string& path, const std::vector<std::pair<std::string, const Tensor*>>& arrays,
               const std::vector<std::pair<std::string, std::vector<std::string>>>& texts) {
  write_atomically(path, [&](std::ostream& stream) {
    std::string directory;
    uint64_t offset = 0, entries = 0;
    const auto add = [&](const std::string& array_name, const std::string& data) {
      if (data.size() > 0xfffffffeull || offset > 0xfffffffeull)
        throw Error(path + ": the arrays exceed 4 GiB", "write .npy instead");
      const std::string name = array_name + ".npy";
      std::string
          common;  // version, flags, method, time, date (1980-01-01), checksum, sizes, name length, extra length
      put(common, 20, 2);
      put(common, 0, 2);
      put(common, 0, 2);
      put(common, 0, 2);
      put(common, 0x21, 2);
      put(common, crc32(data), 4);
      put(common, data.size(), 4);
      put(common, data.size(), 4);
      put(common, name.size(), 2);
      put(common, 0, 2);
      std::string local = "PK\x03\x04" + common + name;
      std::string central = std::string("PK\x01\x02") + std::string("\x14\0", 2) + common;
      put(central, 0, 2);
      put(central, 0, 2);
      put(central, 0, 2);
      put(central, 0, 4);
      put(central, offset, 4);
      directory += central + name;
      stream << local;
      stream.write(data.data(), static_cast<std::streamsize>(data.size()));
      offset += local.size() + data.size();
      ++entries;
    };
    for (const auto& [name, tensor] : arrays) {
      add(name, header(code_of(tensor->dtype()), tensor->shape()) +
                    std::string(static_cast<const char*>(tensor->raw()), tensor->bytes()));
    }
    for (const auto& [name, list] : texts) add(name, unicode_array(list));
    std::string end = "PK\x05\x06";
    put(end, 0, 2);
    put(end, 0, 2);
    put(end, entries, 2);
    put(end, entries, 2);
    put(end, directory.size(), 4);
    put(end, offset, 4);
    put(end, 0, 2);
    stream << directory << end;
  });
}

}  // namespace graft
