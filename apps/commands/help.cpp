#include <algorithm>
#include <cstdio>
#include <iostream>

#include "apps/cli/checked_config.h"
#include "apps/cli/setting_topics.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "augment/augmentation.h"

namespace graft::app {
namespace {

struct Options {
  std::string topic, name;
  bool json = false, markdown = false;
};

template <typename Named>
const Named& find(const std::vector<Named>& all, const std::string& kind, const std::string& name) {
  std::vector<std::string> names;
  for (const Named& one : all) {
    if (one.name == name) return one;
    names.push_back(one.name);
  }
  throw Error("there is no " + kind + " \"" + name + "\"", "the closest is " + closest_word(name, names),
              ErrorCode::not_found);
}

void print_topics(const std::vector<SettingTopic>& topics, bool json) {
  if (json) {
    std::string list;
    for (const SettingTopic& topic : topics) list += (list.empty() ? "\"" : ", \"") + topic.name + "\"";
    std::cout << "{\"topics\": [" << list << "]}\n";
    return;
  }
  std::printf("graft help TOPIC [NAME] tells what can be set; graft --help, what can be done.\n\n");
  for (const SettingTopic& topic : topics) std::printf("  %-12s %s\n", topic.name.c_str(), topic.title.c_str());
}

bool is_of_transforms(const SettingTopic& topic) { return topic.option == "augment"; }

std::string to_text(const Recipe& recipe) { return recipe.name + ": " + recipe.transforms + "  (" + recipe.help + ")"; }

void print_components(const SettingTopic& topic, bool json) {
  if (json) {
    std::string list;
    for (const ComponentInfo& component : topic.components)
      list += (list.empty() ? "" : ", ") + to_json_text(topic, component);
    std::cout << "{\"topic\": \"" << topic.name << "\", \"components\": [" << list << "]}\n";
    return;
  }
  std::printf("%s%s\n\n", topic.title.c_str(), topic.option.empty() ? "" : (" (--" + topic.option + ")").c_str());
  if (topic.option.empty()) {
    for (const ComponentInfo& component : topic.components) std::cout << to_text(topic, component) << "\n";
    return;
  }
  for (const ComponentInfo& component : topic.components)
    std::printf("  %-22s %s\n", component.name.c_str(), component.help.c_str());
  std::printf("\ngraft help %s NAME tells what can be set of one.\n", topic.name.c_str());
  if (!is_of_transforms(topic)) return;
  std::printf("\nRecipes of them:\n");
  for (const Recipe& recipe : recipes()) std::cout << "  " << to_text(recipe) << "\n";
}

void help(const Options& o) {
  if (o.markdown) {
    std::cout << settings_markdown();
    return;
  }
  const std::vector<SettingTopic> topics = setting_topics();
  if (o.topic.empty()) return print_topics(topics, o.json);
  const SettingTopic& topic = find(topics, "topic", o.topic == "augment" ? "transform" : o.topic);
  if (o.name.empty()) return print_components(topic, o.json);
  if (is_of_transforms(topic) && !o.json)
    for (const Recipe& recipe : recipes())
      if (recipe.name == o.name) {
        std::cout << to_text(recipe) << "\n";
        return;
      }
  const ComponentInfo& component = find(topic.components, topic.name, o.name);
  std::cout << (o.json ? to_json_text(topic, component) + "\n" : to_text(topic, component));
}

}  // namespace

void register_help(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("help", "Tell what can be set of losses, optimizers, schedules, heads, transforms");
  command->footer(examples({"graft help optimizer", "graft help optimizer adamw"}));
  command->add_option("topic", o->topic, "loss | optimizer | schedule | head | transform | training");
  command->add_option("name", o->name, "One of them");
  command->add_flag("--json", o->json, "One JSON object");
  command->add_flag("--markdown", o->markdown, "docs/settings.md");
  command->callback([o] {
    help(*o);
    std::fflush(stdout);
  });
}

}  // namespace graft::app
