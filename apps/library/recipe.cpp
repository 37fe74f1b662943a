#include "apps/library/recipe.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <ostream>
#include <sstream>

#include "apps/library/network.h"
#include "apps/library/read_lines.h"
#include "apps/library/train_settings.h"
#include "finetune/metrics/metrics.h"
#include "finetune/selection/depth_training.h"
#include "importer/metadata.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// The line of a search's record that a resumed run reads.
constexpr char kChosen[] = "chosen recipe,";

std::string in_one_field(std::string text) {
  std::replace(text.begin(), text.end(), ',', ';');
  return text;
}

void write_record(const std::string& path, const RecipeChoice& choice) {
  write_atomically(path, [&](std::ostream& stream) {
    stream.precision(9);
    stream << "what,pictures,accuracy,loss,seconds,verdict\n";
    for (const RecipeTrial& t : choice.report.trials)
      stream << in_one_field(t.what) << ',' << t.pictures << ',' << t.accuracy << ',' << t.loss << ',' << t.seconds
             << ',' << in_one_field(t.verdict) << '\n';
    stream << kChosen << choice.form.preprocessing << ',' << choice.report.flips << ',' << choice.report.epochs << ','
           << choice.report.freeze << '\n';
  });
}

/// The recipe that an interrupted run had chosen; none where it did not come so far.
std::optional<RecipeChoice> recorded(const std::string& path) {
  if (path.empty() || !std::filesystem::exists(path)) return std::nullopt;
  for (const std::string& line : read_lines(path)) {
    if (!line.starts_with(kChosen)) continue;
    std::istringstream stream(line.substr(std::string(kChosen).size()));
    RecipeChoice choice;
    char comma = 0;
    if (stream >> choice.form.preprocessing >> comma >> choice.report.flips >> comma >> choice.report.epochs >> comma &&
        std::getline(stream, choice.report.freeze)) {
      choice.form.variants =
          choice.report.flips ? PictureForm::Variants::augmented : PictureForm::Variants::augmented_without_flips;
      choice.report.conclusion = "as chosen before the interruption";
      return choice;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string departs_from_recipe(const FinetuneSettings& settings, Task task) {
  if (task != Task::classes) return "task";
  if (settings.find_rate) return "find-lr";
  if (settings.search_seconds > 0) return "auto";
  if (settings.folds > 0) return "folds";
  FinetuneSettings plain;  // with what does not count
  plain.seed = settings.seed;
  plain.compute = settings.compute;
  plain.class_weights = settings.class_weights;
  plain.balanced_weights = settings.balanced_weights;
  plain.cached_views = settings.cached_views;
  plain.search_freedom = settings.search_freedom;
  std::istringstream given(resumable_text(settings)), usual(resumable_text(plain));
  for (std::string a, b; std::getline(given, a) && std::getline(usual, b);) {
    if (a == b) continue;
    const size_t space = a.find(' ');
    const std::string name = a.substr(0, a.find('='));
    return space == std::string::npos || space > name.size() ? name : name.substr(space + 1);
  }
  return "";
}

std::string augmentation_of(PictureForm::Variants variants) {
  switch (variants) {
    case PictureForm::Variants::mirrored:
      return "center-crop,flip:probability=1";
    case PictureForm::Variants::augmented_without_flips:
      return "resized-crop";
    default:
      return "default";
  }
}

PictureForms::PictureForms(const Dataset& dataset, std::vector<Preprocessing> preprocessings,
                           const FinetuneSettings& settings)
    : dataset_(dataset), preprocessings_(std::move(preprocessings)), settings_(settings) {}

const SampleSource& PictureForms::whole(const PictureForm& form) {
  auto& made = forms_[form];
  if (!made) {
    FinetuneSettings settings = settings_;
    settings.augment = augmentation_of(form.variants);
    made = std::make_unique<Form>(dataset_, preprocessings_.at(form.preprocessing), settings);
  }
  return made->whole;
}

Conventions possible_conventions(const Preprocessing& given, bool is_guess) {
  Conventions all{{""}, {given}};
  if (!is_guess) return all;
  all.names[0] = "imagenet";
  const bool grey = given.colour == Preprocessing::Colour::grey;
  for (const char* name : {"tf", "unit", "caffe"}) {
    const Preprocessing known = named_preprocessing(name, {grey ? 1 : 3, given.crop_height, given.crop_width});
    Preprocessing other = given;  // the size stays
    other.colour = known.colour;
    other.scale = known.scale;
    other.mean = known.mean;
    other.std = known.std;
    all.names.push_back(name);
    all.preprocessings.push_back(other);
  }
  return all;
}

RecipeChoice choose_recipe_for(FinetuneSettings& settings, TrainOptions& options, Preprocessing& preprocessing,
                               const Graph& base, const Dataset& dataset, const TrainListener& listener,
                               const Backend& backend) {
  const Conventions conventions = possible_conventions(preprocessing, settings.preprocessing_is_guess);
  PictureForms forms(dataset, conventions.preprocessings, settings);
  const auto with = [&](const std::string& freeze) {
    FinetuneSettings deeper = settings;
    deeper.freeze = freeze;
    if (freeze != "all") deeper.batch_norm = BatchNormPolicy::train;
    return deeper;
  };
  RecipeProblem problem;
  problem.network = [&](const std::string& freeze) {
    Network network = make_network(base, with(freeze), static_cast<int64_t>(dataset.classes.size()));
    return RecipeNetwork{std::move(network.graph), network.head.parameters};
  };
  problem.pictures = [&](const PictureForm& form) -> const SampleSource& { return forms.whole(form); };
  problem.training = static_cast<int64_t>(dataset.train.size());
  problem.preprocessings = conventions.names;
  problem.classes = static_cast<int>(dataset.classes.size());
  problem.budget = settings.budget_seconds;
  RecipeChoice choice;
  const std::optional<RecipeChoice> known = settings.resume ? recorded(settings.search_record) : std::nullopt;
  const bool goes_on = known && known->report.epochs > 0 && known->form.preprocessing < conventions.names.size();
  if (settings.resume && !goes_on && listener.note)
    listener.note(known ? "the run before fitted a head alone: that is done again from the beginning"
                        : "the run before did not come as far as a choice: it is made from the beginning");
  if (goes_on) {
    choice = *known;
    choice.report.preprocessing = conventions.names[choice.form.preprocessing];
    choice.training = depth_options(options, problem.network(choice.report.freeze).graph, choice.report.epochs);
  } else {
    options.checkpoint.resume = false;  // what was fitted is fitted again, and soon
    choice = choose_recipe(problem, options, listener, backend);
    if (!settings.search_record.empty()) write_record(settings.search_record, choice);
  }
  settings = with(choice.report.freeze);
  settings.augment = augmentation_of(choice.form.variants);
  preprocessing = conventions.preprocessings.at(choice.form.preprocessing);
  if (choice.report.epochs > 0) {
    CheckpointOptions checkpoint = options.checkpoint;
    checkpoint.fingerprint += "-" + std::to_string(choice.form.preprocessing) + (choice.report.flips ? "f" : "n") +
                              choice.report.freeze + "-" + std::to_string(choice.report.epochs);
    options = choice.training;
    options.checkpoint = checkpoint;
  }
  return choice;
}

EpochReport judge_head(const RecipeChoice& choice, const Dataset& dataset) {
  const LinearHeadWeights& head = choice.head;
  const size_t classes = head.bias.size(), width = head.weight.size() / classes;
  const FeatureRows rows = FeatureRows::all_of(choice.features);
  std::vector<float> x(width), scores(classes);
  const auto metrics_of = [&](bool training) {
    Metrics metrics(static_cast<int>(classes));
    for (const int64_t i : choice.features.samples()) {
      const auto at = static_cast<size_t>(i);
      if ((at < dataset.train.size()) != training) continue;
      for (size_t o = 0, d = 0; o < rows.outputs.size(); d += rows.width(o), ++o) rows.copy(o, {i, 0}, x.data() + d);
      for (size_t c = 0; c < classes; ++c) {
        auto f = static_cast<double>(head.bias[c]);
        for (size_t d = 0; d < width; ++d)
          f += static_cast<double>(head.weight[c * width + d]) * static_cast<double>(x[d]);
        scores[c] = static_cast<float>(f);
      }
      const int label = training ? dataset.train[at].label : dataset.validation[at - dataset.train.size()].label;
      metrics.add(scores, {&label, 1});
    }
    return metrics;
  };
  const Metrics validation = metrics_of(false);
  EpochReport report;
  report.epoch = report.epochs = 1;
  report.train_loss = metrics_of(true).loss();
  report.val_loss = validation.loss();
  report.val_score = validation.top1();
  report.val_second = validation.top5();
  return report;
}

}  // namespace graft
