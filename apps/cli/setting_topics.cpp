#include "apps/cli/setting_topics.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "augment/transforms/transform.h"
#include "finetune/heads/head.h"
#include "finetune/training/train_options.h"

namespace graft::app {
namespace {

using nlohmann::json;

std::vector<ComponentInfo> training_groups() {
  std::vector<ComponentInfo> groups;
  TrainOptions options;
  options.each_group([&](const char* name, const auto& group) {
    groups.push_back({name, "", "", settings_of(group)});
  });
  return groups;
}

/// Optimizers know rates that suit them.
std::vector<ComponentInfo> optimizers() {
  std::vector<ComponentInfo> all = optimizer_components();
  for (ComponentInfo& info : all) {
    const OptimizerPtr optimizer = make_optimizer({info.name});
    info.help += "; rate " + shortest_text(optimizer->default_lr()) + ", weight decay " +
                 shortest_text(optimizer->default_weight_decay()) + " unless given";
  }
  return all;
}

/// Letters, not bytes.
size_t width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t to) {
  return text + std::string(to - std::min(to, width(text)), ' ');
}

std::vector<std::string> cells(const SettingTopic& topic, const SettingInfo& setting) {
  const bool option = topic.name != "transform";
  return {(option ? "--" : "") + setting.name, name_of(setting.kind), setting.default_text,
          range_text(setting) + (setting.unit.empty() ? "" : " " + setting.unit), setting.help};
}

const std::vector<std::string>& headings() {
  static const std::vector<std::string> names{"setting", "kind", "default", "range", "what it does"};
  return names;
}

/// A row of a Markdown table.
std::string row(const std::vector<std::string>& fields) {
  std::string line = "|";
  for (std::string field : fields) {
    for (size_t at = 0; (at = field.find('|', at)) != std::string::npos; at += 2) field.replace(at, 1, "\\|");
    line += " " + field + " |";
  }
  return line + "\n";
}

}  // namespace

std::vector<SettingTopic> setting_topics() {
  return {{"loss", "loss", "What is minimised", loss_components()},
          {"optimizer", "optimizer", "How weights follow their gradients", optimizers()},
          {"schedule", "schedule", "How the rate changes over a run", schedule_components()},
          {"head", "head", "What takes the classifier's place", head_components()},
          {"transform", "augment", "How training pictures are varied", transform_components()},
          {"training", "", "Everything else about training", training_groups()}};
}

std::string to_text(const SettingTopic& topic, const ComponentInfo& component) {
  std::string text = component.name;
  if (!component.help.empty()) text += ": " + component.help;
  text += "\n";
  if (!component.formula.empty()) text += "    " + component.formula + "\n";
  if (component.settings.empty()) return text + "\nIt has no settings.\n";
  std::vector<std::vector<std::string>> rows{headings()};
  for (const SettingInfo& setting : component.settings) rows.push_back(cells(topic, setting));
  std::vector<size_t> widths(headings().size());
  for (const auto& fields : rows)
    for (size_t i = 0; i < fields.size(); ++i) widths[i] = std::max(widths[i], width(fields[i]));
  text += "\n";
  for (const auto& fields : rows) {
    std::string line;
    for (size_t i = 0; i < fields.size(); ++i)
      line += i + 1 < fields.size() ? padded(fields[i], widths[i] + 2) : fields[i];
    text += line + "\n";
  }
  return text;
}

std::string to_json_text(const SettingTopic& topic, const ComponentInfo& component) {
  json settings = json::array();
  for (const SettingInfo& s : component.settings) {
    const auto bound = [](double value) { return std::isfinite(value) ? json(value) : json(); };
    settings.push_back({{"name", s.name},
                        {"kind", name_of(s.kind)},
                        {"default", s.default_text},
                        {"low", bound(s.low)},
                        {"high", bound(s.high)},
                        {"unit", s.unit},
                        {"help", s.help}});
  }
  return json{{"topic", topic.name},    {"option", topic.option},       {"name", component.name},
              {"help", component.help}, {"formula", component.formula}, {"settings", settings}}
      .dump();
}

std::string settings_markdown() {
  std::string text =
      "# Settings\n\n"
      "Everything that losses, optimizers, schedules, heads, transforms and the training itself can be told. Made by\n"
      "`graft help --markdown`, from what each of them says of itself; a test fails when this page is stale.\n\n"
      "Settings are options of `graft finetune` and keys of its config file. Those of heads and transforms can also "
      "be\n"
      "written behind the name: `--head mlp:64`, `--augment resized-crop:smallest=0.5,flip`.\n";
  for (const SettingTopic& topic : setting_topics()) {
    text += "\n## " + topic.name + "\n\n" + topic.title;
    text += topic.option.empty() ? ".\n" : " (`--" + topic.option + "`).\n";
    for (const ComponentInfo& component : topic.components) {
      text += "\n### " + component.name + "\n\n";
      if (!component.help.empty()) text += component.help + "\n\n";
      if (!component.formula.empty()) text += "    " + component.formula + "\n\n";
      if (component.settings.empty()) {
        text += "No settings.\n";
        continue;
      }
      text += row(headings()) + "|---|---|---|---|---|\n";
      for (const SettingInfo& setting : component.settings) text += row(cells(topic, setting));
    }
  }
  return text;
}

}  // namespace graft::app
