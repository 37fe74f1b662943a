#include "runtime/plan/device.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"

namespace graft {
namespace {

bool has_driver() { return dlopen("libcuda.so.1", RTLD_NOW) != nullptr; }

TEST(Device, TheProcessorIsAlwaysThere) {
  const OpenedDevice opened = open_device({"cpu"});
  EXPECT_EQ(opened.backend, &cpu_backend());
  EXPECT_TRUE(opened.note.empty());
}

TEST(Device, NamesThatMeanNothingAreRefused) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999"})
    EXPECT_THROW((void)open_device({name}), Error) << name;
}

TEST(Device, WithoutADriverTheProcessorServesAndOneLineSaysSo) {
  if (has_driver()) GTEST_SKIP() << "this machine has an NVIDIA driver";
  const OpenedDevice asked = open_device({"cuda"});
  EXPECT_EQ(asked.backend, &cpu_backend());
  EXPECT_NE(asked.note.find("no NVIDIA driver"), std::string::npos) << asked.note;
  EXPECT_NE(asked.note.find("computing on the processor"), std::string::npos) << asked.note;
  EXPECT_EQ(asked.note.find('\n'), std::string::npos);
  const OpenedDevice automatic = open_device({"auto"});
  EXPECT_EQ(automatic.backend, &cpu_backend());
  EXPECT_TRUE(automatic.note.empty()) << automatic.note;
}

TEST(Device, WithADriverAGpuOpens) {
  if (!has_driver()) GTEST_SKIP() << "this machine has no NVIDIA driver: nothing of the GPU is tested";
  const OpenedDevice opened = open_device({"cuda"});
  ASSERT_TRUE(opened.note.empty()) << opened.note;
  EXPECT_EQ(opened.backend->name(), "cuda");
  ASSERT_NE(opened.backend->device(), nullptr);
  EXPECT_EQ(open_device({"cuda:0"}).backend, opened.backend);
}

}  // namespace
}  // namespace graft
