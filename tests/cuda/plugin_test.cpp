// What the program asks of a plugin, with functions in its place.
#include "runtime/plan/plugin.h"

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/plugin_entry.h"

namespace graft {
namespace {

int opened = 0, closed = 0;

class FakeBackend final : public Backend {
 public:
  std::string_view name() const override { return "fake"; }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest&) const override { return nullptr; }
  void use_threads(int) const override {}
};

Backend* open_fake(int device, const char* precision, const Backend* host, char* description, size_t description_bytes,
                   char* message, size_t message_bytes) {
  return cuda::open_backend(
      [&] {
        ++opened;
        if (device == 1) throw Error("there is no GPU 1");
        if (device == 2) throw 2;  // not even an exception
        EXPECT_EQ(host, &cpu_backend());
        cuda::write_text(std::string("a fake, ") + precision, description, description_bytes);
        return std::make_unique<FakeBackend>();
      },
      message, message_bytes);
}

void close_fake(Backend* backend) {
  ++closed;
  delete backend;
}

const cuda::PluginFunctions kFake{build_identity, open_fake, close_fake};

std::string refusal(const cuda::PluginFunctions& plugin, int device) {
  try {
    (void)open_plugin(plugin, device, "fp32", cpu_backend());
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Plugin, ItsBackendIsReleasedByThePluginOnce) {
  opened = closed = 0;
  {
    const OpenedPlugin plugin = open_plugin(kFake, 0, "bf16", cpu_backend());
    EXPECT_EQ(plugin.backend->name(), "fake");
    EXPECT_EQ(plugin.description, "a fake, bf16");
    EXPECT_EQ(closed, 0);
  }
  EXPECT_EQ(opened, 1);
  EXPECT_EQ(closed, 1);
}

TEST(Plugin, OfAnotherBuildIsRefusedInOneLineAndNotOpened) {
  opened = closed = 0;
  cuda::PluginFunctions other = kFake;
  other.build_identity = [] { return "graft 0.0.1, headers 0"; };
  const std::string text = refusal(other, 0);
  EXPECT_NE(text.find("of another build"), std::string::npos) << text;
  EXPECT_NE(text.find("graft 0.0.1, headers 0"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  other = kFake;
  other.close = nullptr;  // as in a plugin from before there was such a function
  EXPECT_NE(refusal(other, 0).find("of another build"), std::string::npos);
  EXPECT_EQ(opened, 0);
  EXPECT_EQ(closed, 0);
}

TEST(Plugin, WhatItsEntryThrowsComesAsText) {
  opened = closed = 0;
  EXPECT_NE(refusal(kFake, 1).find("there is no GPU 1"), std::string::npos);
  EXPECT_NE(refusal(kFake, 2).find("unknown failure"), std::string::npos);
  EXPECT_EQ(opened, 2);
  EXPECT_EQ(closed, 0);
}

TEST(Plugin, TextsAreCutToTheirBuffers) {
  std::array<char, 6> message{'x', 'x', 'x', 'x', 'x', 'x'};
  EXPECT_EQ(
      cuda::open_backend([]() -> std::unique_ptr<Backend> { throw std::runtime_error("too long"); }, message.data(), 5),
      nullptr);
  EXPECT_STREQ(message.data(), "too ");
  EXPECT_EQ(message[5], 'x');
  cuda::write_text("anything", message.data(), 0);
  EXPECT_EQ(message[0], 't');
}

TEST(Plugin, TheBuildIdentityNamesWhatMustAgree) {
  const std::string text = build_identity();
  for (const char* part : {"graft ", "headers ", "C++", "sanitizers ", "strings of C++11 ", "__cplusplus "})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace graft
