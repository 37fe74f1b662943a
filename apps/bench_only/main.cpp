// `graft bench` alone, for machines without OpenCV.
#include <iostream>

#include "apps/commands/commands.h"
#include "runtime/core/error.h"

int main(int argc, char** argv) {
  CLI::App app("graft's bench, without what needs pictures");
  app.require_subcommand(1);
  try {
    graft::app::register_bench(app, nullptr);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const graft::Error& error) {
    const auto option = [](std::string_view setting) { return "--" + std::string(setting); };
    std::cerr << "graft: error: " << error.text(option) << '\n';
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "graft: error: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
