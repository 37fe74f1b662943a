#include "finetune/training/training_state.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/core/error.h"
#include "runtime/core/json_integer.h"

namespace graft {
namespace {

using nlohmann::json;

void copy_into(const Tensor& from, Tensor& to) { std::memcpy(to.raw(), from.raw(), to.bytes()); }

std::string slot_name(const std::string& parameter, size_t slot) {
  return "slot" + std::to_string(slot) + ":" + parameter;
}

/// What `read` makes of a checkpoint's state.
template <typename Read>
auto from_state(const Checkpoint& checkpoint, const Read& read) {
  try {
    return read(json::parse(checkpoint.state));
  } catch (const json::exception&) {
    throw Error("the checkpoint's state cannot be read", "start the run without " + mention("resume"),
                ErrorCode::corrupt_file);
  }
}

/// The best values of `next`: those that are known, else the present ones. Both hold (tensor, …) in the order of their
/// best values.
template <typename Old, typename Next, typename TensorOf>
std::vector<Tensor> best_of(const Old& old, std::vector<Tensor>& best, const Next& next, const TensorOf& tensor) {
  std::vector<Tensor> values;
  for (const auto& n : next) {
    const auto known = std::find_if(old.begin(), old.end(), [&](const auto& o) { return tensor(o) == tensor(n); });
    values.push_back(known == old.end() ? tensor(n)->clone()
                                        : std::move(best[static_cast<size_t>(known - old.begin())]));
  }
  return values;
}

/// The parameter's shape, where the slot holds as many numbers.
Shape slot_shape(const Shape& parameter, size_t numbers) {
  const auto count = static_cast<int64_t>(numbers);
  return parameter.elements() == count ? parameter : Shape{count};
}

/// Throws Error that names the first line in which they differ.
void check_fingerprint(const std::string& then, const std::string& now) {
  if (then == now) return;
  std::istringstream old_lines(then), new_lines(now);
  std::string was, is;
  while (std::getline(old_lines, was) && std::getline(new_lines, is) && was == is) {
  }
  const std::string remedy = "repeat that run's, or start without " + mention("resume");
  const size_t end = was.find('=');
  if (end == std::string::npos || is.substr(0, end + 1) != was.substr(0, end + 1))
    throw Error("the checkpoint was made with other settings", remedy);
  const std::string name = was.substr(0, end);
  for (const std::string what : {"other pictures", "another network", "another preprocessing", "another recipe"})
    if (what.ends_with(" " + name)) throw Error("the checkpoint was made with " + what, remedy);
  throw Error(
      "the checkpoint was made with " + mention(name) + " " + was.substr(end + 1) + ", not " + is.substr(end + 1),
      remedy);
}

/// Everything but tensors.
void numbers_from_state(const json& state, const std::string& fingerprint, TrainingState& s) {
  check_fingerprint(state.at("fingerprint").get<std::string>(), fingerprint);
  s.epoch = json_integer<int>(state.at("epoch"));
  s.step = json_integer(state.at("step"));
  s.batches = json_integer(state.at("batches"));
  if (const json scale = state.value("loss_scale", json()); s.loss_scale && scale.is_array())
    s.loss_scale = {scale.at(0).get<double>(), json_integer(scale.at(1))};
  s.best_epoch = json_integer<int>(state.at("best_epoch"));
  s.best_val_score = state.at("best_val_score").get<double>();
  s.best_val_loss = state.at("best_val_loss").get<double>();
  s.history.clear();
  for (const auto& e : state.at("history")) {
    s.history.push_back({json_integer<int>(e.at(0)), e.at(1).get<double>(), e.at(2).get<double>(),
                         e.at(3).get<double>(), e.at(4).get<double>(), e.at(5).get<double>(), e.at(6).get<double>()});
  }
}

}  // namespace

void TrainingState::take(std::vector<Parameter> next_parameters,
                         std::vector<std::pair<std::string, std::shared_ptr<Tensor>>> next_statistics) {
  if (!best_parameters.empty()) {
    best_parameters =
        best_of(parameters, best_parameters, next_parameters, [](const Parameter& p) { return p.tensor; });
    best_statistics = best_of(statistics, best_statistics, next_statistics, [](const auto& s) { return s.second; });
  }
  parameters = std::move(next_parameters);
  statistics = std::move(next_statistics);
  step = 0;
}

int epochs_done(const Checkpoint& checkpoint) {
  return from_state(checkpoint, [](const json& state) { return json_integer<int>(state.at("epoch")); });
}

void TrainingState::keep_as_best() {
  best_parameters.clear();
  best_statistics.clear();
  for (const Parameter& p : parameters) best_parameters.push_back(p.tensor->clone());
  for (const auto& [name, tensor] : statistics) best_statistics.push_back(tensor->clone());
}

void TrainingState::restore_best() {
  for (size_t i = 0; i < best_parameters.size(); ++i) copy_into(best_parameters[i], *parameters[i].tensor);
  for (size_t i = 0; i < best_statistics.size(); ++i) copy_into(best_statistics[i], *statistics[i].second);
}

Checkpoint to_checkpoint(const TrainingState& s, const std::string& fingerprint) {
  Checkpoint c;
  for (size_t p = 0; p < s.parameters.size(); ++p) {
    const std::string& name = s.parameters[p].name;
    c.tensors.emplace("parameter:" + name, s.parameters[p].tensor->clone());
    for (size_t k = 0; k < s.slots.slots(); ++k)
      c.tensors.emplace(slot_name(name, k),
                        Tensor::copy_of<float>(slot_shape(s.parameters[p].tensor->shape(), s.slots.of(p, k).size()),
                                               s.slots.of(p, k)));
    if (!s.best_parameters.empty()) c.tensors.emplace("best:" + name, s.best_parameters[p].clone());
    if (s.average && !s.average->values().empty()) c.tensors.emplace("average:" + name, s.average->values()[p].clone());
  }
  for (size_t i = 0; i < s.statistics.size(); ++i) {
    c.tensors.emplace("statistic:" + s.statistics[i].first, s.statistics[i].second->clone());
    if (!s.best_statistics.empty())
      c.tensors.emplace("best_statistic:" + s.statistics[i].first, s.best_statistics[i].clone());
  }
  json history = json::array();
  for (const EpochReport& e : s.history)
    history.push_back({e.epoch, e.train_loss, e.val_loss, e.val_score, e.val_second, e.lr, e.seconds});
  json scale;
  if (s.loss_scale) scale = {s.loss_scale->value, s.loss_scale->good};
  c.state = json{
      {"loss_scale", scale},
      {"fingerprint", fingerprint},
      {"step", s.step},
      {"batches", s.batches},
      {"epoch", s.epoch},
      {"best_epoch", s.best_epoch},
      {"best_val_score", s.best_val_score},
      {"best_val_loss", s.best_val_loss},
      {"history",
       history}}.dump();
  return c;
}

void from_checkpoint(const Checkpoint& c, const std::string& fingerprint, TrainingState& s) {
  from_state(c, [&](const json& state) { numbers_from_state(state, fingerprint, s); });
  const auto find = [&](const std::string& name, const Shape& shape) -> const Tensor& {
    const auto it = c.tensors.find(name);
    if (it == c.tensors.end() || it->second.shape() != shape)
      throw Error("the checkpoint has no fitting \"" + name + "\"", "start the run without " + mention("resume"),
                  ErrorCode::corrupt_file);
    return it->second;
  };
  const auto load = [&](const std::string& name, Tensor& to) { copy_into(find(name, to.shape()), to); };
  s.keep_as_best();
  const bool averaged = s.average && !s.parameters.empty() && c.tensors.contains("average:" + s.parameters[0].name);
  for (size_t p = 0; p < s.parameters.size(); ++p) {
    const std::string& name = s.parameters[p].name;
    load("parameter:" + name, *s.parameters[p].tensor);
    for (size_t k = 0; k < s.slots.slots(); ++k) {
      const auto to = s.slots.of(p, k);
      const auto from = find(slot_name(name, k), slot_shape(s.parameters[p].tensor->shape(), to.size())).data<float>();
      std::copy(from.begin(), from.end(), to.begin());
    }
    load("best:" + name, s.best_parameters[p]);
    if (averaged)
      load("average:" + name, s.average->values().emplace_back(DType::f32, s.parameters[p].tensor->shape()));
  }
  for (size_t i = 0; i < s.statistics.size(); ++i) {
    load("statistic:" + s.statistics[i].first, *s.statistics[i].second);
    load("best_statistic:" + s.statistics[i].first, s.best_statistics[i]);
  }
}

}  // namespace graft
