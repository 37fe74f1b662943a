#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "apps/cli/checked_config.h"
#include "apps/cli/common.h"
#include "apps/cli/interruption.h"
#include "apps/cli/json_output.h"
#include "apps/cli/printable.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/models/model_reference.h"
#include "apps/run/run_folder.h"
#include "graft/error.h"
#include "graft/version.h"

namespace graft::app {
namespace {

/// What went wrong, as one line: newlines would break whoever reads it line by line. What was interrupted has a status
/// of its own.
int fail(std::string text, int status = kFailed) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  std::cerr << "graft: error: " << printable(text) << std::endl;
  return Interruption::asked() ? kInterrupted : status;
}

/// A picture's memory is taken and given back thousands of times: kept, the system need not clear its pages anew each
/// time, which took a quarter of the time that transforms take.
void keep_freed_memory() {
#if defined(__GLIBC__)
  constexpr int kKept = 64 << 20;
  mallopt(M_MMAP_THRESHOLD, kKept / 2);
  mallopt(M_TRIM_THRESHOLD, kKept);
#endif
}

/// Whoever takes a model's file takes what names one otherwise, too ("zoo:resnet50"): it is fetched where it is not
/// there, unless help is asked for or something that is required is missing. The folder of a run stands for its model.
void take_references(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    if (command->get_name() == "pull") continue;
    for (const char* name : {"model", "run", "--model", "--teacher", "--diff"}) {
      CLI::Option* option = command->get_option_no_throw(name);
      if (!option) continue;
      option->transform([command](std::string text) {
        const auto all = command->get_options();
        const bool complete = std::none_of(all.begin(), all.end(),
                                           [](const CLI::Option* o) { return o->get_required() && o->count() == 0; });
        if (!is_model_reference(text)) return model_in(text);
        if (command->count("--help") > 0 || !complete) return text;
        CommonOptions common;
        common.quiet = command->count("--quiet") > 0;
        return local_model(text, common);
      });
    }
  }
}

/// The words of `graft finetune … --resume`, with RUN/config.toml for what they leave out: a run goes on as it began.
std::vector<std::string> with_settings_of_run(std::vector<std::string> words) {
  const auto has = [&](std::string_view word) {
    return std::any_of(words.begin(), words.end(),
                       [&](const std::string& w) { return w == word || w.starts_with(std::string(word) + "="); });
  };
  const auto command =
      std::find_if(words.begin() + 1, words.end(), [](const std::string& word) { return !word.starts_with("-"); });
  if (command == words.end() || *command != "finetune" || !has("--resume") || has("--config")) return words;
  std::string run;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if ((word == "-o" || word == "--output") && i + 1 < words.size()) run = words[i + 1];
    if (word.starts_with("--output=")) run = word.substr(9);
    if (word.starts_with("-o") && word.size() > 2) run = word.substr(2);
  }
  std::error_code code;
  const std::filesystem::path config = std::filesystem::path(run) / "config.toml";
  if (run.empty() || !std::filesystem::exists(config, code)) return words;
  words.insert(words.begin() + 1, {"--config", config.string()});
  return words;
}

/// oneDNN's threads are OpenMP's, which by default look for more work for milliseconds, on a processor that graft's own
/// threads want by then. OpenMP reads this when oneDNN is opened.
void spin_briefly() {
  if (!std::getenv("OMP_WAIT_POLICY")) setenv("GOMP_SPINCOUNT", "2000", 0);
}

int run(int argc, char** argv) {
  keep_freed_memory();
  spin_briefly();
  CLI::App app("graft: fine-tune, run and export pretrained image networks");
  app.set_version_flag("--version", version());
  app.require_subcommand(1);
  app.config_formatter(std::make_shared<CheckedConfig>(app));
  app.set_config("--config", "", "Options from a TOML file, a section for each subcommand; the command line wins");
  app.formatter(std::make_shared<GroupedHelp>());
  app.footer("graft COMMAND --help tells more of each; graft help what can be set of losses, optimizers, transforms");
  register_commands(app);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    command->set_help_all_flag("--help-all", "Every option");
  take_references(app);
  try {
    std::vector<std::string> words = with_settings_of_run({argv, argv + argc});
    std::vector<const char*> pointers;
    for (const std::string& word : words) pointers.push_back(word.c_str());
    app.parse(static_cast<int>(pointers.size()), pointers.data());
    std::cout.flush();
    const bool is_written = std::cout && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    return is_written ? exit_status() : fail("the output cannot be written: is the disk full?");
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e) == 0 ? kDone : kWrongUsage;
    std::cerr << "graft: error: " << usage_problem(app, e, {argv + 1, argv + argc}) << std::endl;
    return kWrongUsage;
  } catch (const Error& e) {
    const std::string text = e.text([](std::string_view setting) { return "--" + std::string(setting); });
    if (std::find(argv, argv + argc, std::string_view("--json")) != argv + argc) print_json_error(e, text);
    // A value that an option may not have is wrong usage, whoever finds it out.
    const bool wrong_value = e.code() == ErrorCode::invalid_argument || e.code() == ErrorCode::not_found;
    return fail(text, wrong_value && !e.setting().empty() ? kWrongUsage : kFailed);
  } catch (const std::bad_alloc&) {
    return fail("out of memory: use a smaller --batch");
  } catch (const std::exception& e) {
    return fail(e.what());
  }
}

}  // namespace

}  // namespace graft::app

int main(int argc, char** argv) { return graft::app::run(argc, argv); }
