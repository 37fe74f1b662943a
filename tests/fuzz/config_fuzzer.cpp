// libFuzzer target: any text as the program's config file ends in options, or in one error.
#include <sstream>

#include "apps/cli/checked_config.h"
#include "runtime/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Options of each kind that the program has.
  CLI::App program;
  program.config_formatter(std::make_shared<graft::app::CheckedConfig>(program));
  CLI::App* finetune = program.add_subcommand("finetune")->configurable();
  int epochs = 0;
  double rate = 0;
  bool quiet = false;
  std::string model, optimizer;
  std::vector<std::string> pictures;
  finetune->add_option("model", model);
  finetune->add_option("--epochs", epochs)->check(CLI::Range(1, 1000));
  finetune->add_option("--lr", rate);
  finetune->add_option("--optimizer", optimizer)->check(CLI::IsMember({"sgd", "adamw"}));
  finetune->add_option("--pictures", pictures);
  finetune->add_flag("--quiet", quiet);
  std::istringstream text(std::string(reinterpret_cast<const char*>(data), size));
  try {
    program.parse_from_stream(text);
  } catch (const CLI::Error&) {
  } catch (const graft::Error&) {
  }
  return 0;
}
