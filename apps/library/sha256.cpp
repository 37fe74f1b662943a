#include "apps/library/sha256.h"

#include <array>
#include <fstream>
#include <memory>
#include <vector>

#include <openssl/evp.h>

#include "runtime/core/error.h"
#include "runtime/core/shared_library.h"

namespace graft {
namespace {

struct Library {
  SharedLibrary library{GRAFT_CRYPTO_LIBRARY, "checksums of models"};
#define GRAFT_FUNCTION(name) decltype(&::name) name = library.function<decltype(::name)>(#name)
  GRAFT_FUNCTION(EVP_MD_CTX_new);
  GRAFT_FUNCTION(EVP_MD_CTX_free);
  GRAFT_FUNCTION(EVP_sha256);
  GRAFT_FUNCTION(EVP_DigestInit_ex);
  GRAFT_FUNCTION(EVP_DigestUpdate);
  GRAFT_FUNCTION(EVP_DigestFinal_ex);
#undef GRAFT_FUNCTION
};

const Library& lib() {
  static const Library opened;
  return opened;
}

class Sha256 {
 public:
  Sha256() : context_(lib().EVP_MD_CTX_new(), lib().EVP_MD_CTX_free) {
    if (!context_ || lib().EVP_DigestInit_ex(context_.get(), lib().EVP_sha256(), nullptr) != 1)
      throw Error("SHA-256 cannot be computed", "look whether libcrypto is restricted", ErrorCode::unsupported);
  }
  void add(const char* bytes, size_t count) { lib().EVP_DigestUpdate(context_.get(), bytes, count); }
  std::string hexadecimal() {
    std::array<unsigned char, 32> digest{};
    lib().EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    std::string text;
    for (unsigned char byte : digest) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string sha256_of_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(path + ": cannot be opened", "check the path", ErrorCode::not_found);
  Sha256 sum;
  std::vector<char> block(1 << 20);
  while (stream) {
    stream.read(block.data(), static_cast<std::streamsize>(block.size()));
    sum.add(block.data(), static_cast<size_t>(stream.gcount()));
  }
  if (stream.bad()) throw Error(path + ": cannot be read", {}, ErrorCode::io);
  return sum.hexadecimal();
}

std::string sha256_of(const std::string& text) {
  Sha256 sum;
  sum.add(text.data(), text.size());
  return sum.hexadecimal();
}

}  // namespace graft
