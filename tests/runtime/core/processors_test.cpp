#include "runtime/core/processors.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace graft {
namespace {

namespace fs = std::filesystem;

class ProcessorQuota : public ::testing::Test {
 protected:
  ~ProcessorQuota() override { fs::remove_all(root_); }
  void write(const std::string& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  std::optional<double> quota() const { return processor_quota(root_ / "groups", root_ / "mounted"); }

  const fs::path root_ = fs::temp_directory_path() / ("graft_quota_" + std::to_string(::getpid()));
};

TEST_F(ProcessorQuota, IsTheSmallestOfTheGroupAndThoseAroundIt) {
  write("groups", "0::/jobs/one\n");
  write("mounted/jobs/one/cpu.max", "250000 100000\n");
  EXPECT_DOUBLE_EQ(quota().value(), 2.5);
  write("mounted/jobs/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(quota().value(), 1.5);
  write("mounted/jobs/one/cpu.max", "max 100000\n");
  EXPECT_DOUBLE_EQ(quota().value(), 1.5);
}

TEST_F(ProcessorQuota, IsThatOfTheMountedRootWhereThePathIsOfAnotherNamespace) {
  write("groups", "0::/docker/0123\n");
  write("mounted/cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(quota().value(), 0.5);
}

TEST_F(ProcessorQuota, OfVersionOneIsItsControllersFile) {
  write("groups", "4:memory:/jobs\n3:cpu,cpuacct:/jobs\n0::/\n");
  write("mounted/cpu,cpuacct/jobs/cpu.cfs_period_us", "100000\n");
  write("mounted/cpu,cpuacct/jobs/cpu.cfs_quota_us", "300000\n");
  EXPECT_DOUBLE_EQ(quota().value(), 3);
  write("mounted/cpu,cpuacct/jobs/cpu.cfs_quota_us", "-1\n");
  EXPECT_FALSE(quota().has_value());
}

TEST_F(ProcessorQuota, IsNoneWhereNothingSaysSo) {
  EXPECT_FALSE(quota().has_value());
  write("groups", "no group\n0::/\n");
  EXPECT_FALSE(quota().has_value());
  write("mounted/cpu.max", "nonsense");
  EXPECT_FALSE(quota().has_value());
}

TEST(UsableProcessors, AreAtMostThoseOfTheAffinityMask) {
  cpu_set_t mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
  EXPECT_GE(usable_processors(), 1);
  EXPECT_LE(usable_processors(), CPU_COUNT(&mask));
}

}  // namespace
}  // namespace graft
