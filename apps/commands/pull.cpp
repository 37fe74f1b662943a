#include <algorithm>
#include <cctype>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/cli/compute_options.h"
#include "apps/cli/json_output.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/models/model_reference.h"
#include "importer/preprocessing_json.h"
#include "models/zoo.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options {
  CommonOptions common;
  PullOptions pull;
  std::string model;
  bool list = false;
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

json entry(const ZooModel& model) {
  return {{"reference", model.reference()},
          {"name", model.name},
          {"family", model.family()},
          {"source", model.source},
          {"bytes", model.bytes},
          {"sha256", model.sha256},
          {"classes", model.classes},
          {"licence", model.licence.empty() ? json() : json(model.licence)},
          {"preprocessing", json::parse(to_json(model.preprocessing()))},
          {"preprocessing_told_by", model.told_by},
          {"url", model.url}};
}

void list(const Options& o) {
  const std::string wanted = lower(o.model.starts_with("zoo:") ? o.model.substr(4) : o.model);
  std::vector<const ZooModel*> shown;
  for (const ZooModel& model : zoo_models())
    if (lower(model.name).find(wanted) != std::string::npos) shown.push_back(&model);
  if (shown.empty()) {
    const std::string nearest = nearest_zoo_name(wanted);
    throw Error("no model has \"" + o.model + "\" in its name",
                nearest.empty() ? "graft pull --list shows all" : "is " + nearest + " meant?", ErrorCode::not_found);
  }
  if (o.common.json) {
    json models = json::array();
    for (const ZooModel* model : shown) models.push_back(entry(*model));
    print_json({{"models", models}, {"cache", model_cache()}});
    return;
  }
  std::printf("%-52s %-10s %9s %6s %-9s %7s  %s\n", "model", "source", "MB", "pixels", "filter", "classes", "licence");
  for (const ZooModel* m : shown)
    std::printf("%-52s %-10s %9.1f %6lld %-9s %7lld  %s\n", m->reference().c_str(), std::string(m->source).c_str(),
                static_cast<double>(m->bytes) / 1e6, static_cast<long long>(m->side),
                std::string(m->interpolation).c_str(), static_cast<long long>(m->classes),
                m->licence.empty() ? "not stated" : std::string(m->licence).c_str());
  std::printf("%zu of %zu models; accuracies are not known\n", shown.size(), zoo_models().size());
}

void pull(const Options& o) {
  if (o.list) return list(o);
  if (o.model.empty()) throw CLI::RequiredError("model");
  const std::string reference = is_model_reference(o.model) ? o.model : "zoo:" + o.model;
  const Pulled pulled = pull_model(reference, o.pull, o.common);
  if (o.common.json) {
    json report{{"path", pulled.path},
                {"url", pulled.url.empty() ? json() : json(pulled.url)},
                {"bytes", pulled.bytes},
                {"sha256", pulled.sha256.empty() ? json() : json(pulled.sha256)},
                {"was_there", pulled.was_there},
                {"verified", pulled.verified},
                {"tries", pulled.tries},
                {"resumed_at", pulled.resumed_at},
                {"name", pulled.name.empty() ? json() : json(pulled.name)}};
    print_json(report);
    return;
  }
  std::cout << pulled.path << "\n";
  if (o.common.quiet) return;
  if (pulled.was_there)
    std::cerr << "was there already\n";
  else
    std::cerr << (pulled.bytes + 999) / 1000 << " kB"
              << (pulled.verified ? ", checksum right" : ", checksum not compared") << "\n";
}

}  // namespace

void register_pull(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "pull", "Get a pretrained model: of the ONNX Model Zoo by its name, of Hugging Face, or of an address");
  command->add_option("model", o->model,
                      "resnet50 (zoo:resnet50 in other commands) | hf:OWNER/REPO[@REVISION][/FILE] | https://…");
  command->add_flag("--list", o->list, "Show the zoo's models with MODEL in their name instead");
  command->add_option("--sha256", o->pull.sha256, "Checksum that the file must have")
      ->check([](const std::string& text) {
        const bool fits = text.size() == 64 &&
                          std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
        return fits ? std::string() : std::string("is not 64 hexadecimal digits");
      })
      ->transform([](std::string text) { return lower(text); });
  command->add_option("--from", o->pull.from, "Take this local file, after its checksum, in place of the network's");
  command->add_flag("--again", o->pull.again, "Fetch it also where it is there");
  command->add_option("--tries", o->pull.tries, "How often a failing server is asked in all")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--wait", o->pull.first_wait, "Seconds before the second try; doubled for each further one")
      ->check(CLI::Range(0.0, 60.0))
      ->capture_default_str();
  command->add_option("--timeout", o->pull.stalled_after, "Seconds without a byte after which a try has failed")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_flag("--json", o->common.json, "Machine-readable report on stdout");
  command->add_flag("--quiet", o->common.quiet, "No progress and no notes");
  command->footer(
      examples({"graft pull --list resnet", "graft pull resnet50-v2-7", "graft pull hf:timm/resnet18.a1_in1k"}) +
      "\n\nModels are kept in GRAFT_CACHE, or graft/models in XDG_CACHE_HOME or ~/.cache. HF_ENDPOINT and "
      "GRAFT_MIRRORS "
      "name hosts\n"
      "that serve in place of https://huggingface.co, HF_TOKEN is sent to it; http_proxy, https_proxy and no_proxy are "
      "obeyed.");
  command->callback([o] { pull(*o); });
}

}  // namespace graft::app
