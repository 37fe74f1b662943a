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
#include "finetune/selection/recipe_runs.h"
#include "importer/metadata.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// The line of a search's record that a resumed run reads.
constexpr char kChosen[] = "chosen recipe,,,,,";

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
    stream << kChosen << "preprocessing " << choice.form.preprocessing << "; flips " << choice.report.flips
           << "; epochs " << choice.report.epochs << "; freeze " << choice.report.freeze << "; joined "
           << choice.report.joined << "; head " << static_cast<int>(choice.kind) << "; rate "
           << choice.report.trunk_rate << '\n';
  });
}

/// The recipe that a search's record tells; none where it does not come so far.
std::optional<RecipeChoice> recorded(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kChosen)) continue;
    std::istringstream stream(line.substr(std::string(kChosen).size()));
    RecipeChoice choice;
    std::string word;
    char semicolon = 0;
    if (stream >> word >> choice.form.preprocessing >> semicolon >> word >> choice.report.flips >> semicolon >> word >>
        choice.report.epochs >> semicolon >> word >> choice.report.freeze) {
      if (choice.report.freeze.ends_with(';')) choice.report.freeze.pop_back();
      int kind = 0;
      stream >> word >> choice.report.joined >> semicolon >> word >> kind;
      if (double rate = 1; stream >> semicolon >> word >> rate) choice.report.trunk_rate = rate;
      if (kind >= 0 && kind <= static_cast<int>(HeadKind::class_means)) choice.kind = static_cast<HeadKind>(kind);
      choice.input = choice.report.joined ? HeadInput::joined : HeadInput::features;
      choice.form.variants =
          choice.report.flips ? PictureForm::Variants::augmented : PictureForm::Variants::augmented_without_flips;
      choice.report.conclusion = "as chosen before the interruption";
      return choice;
    }
  }
  return std::nullopt;
}

}  // namespace

bool is_prototype_head(const FinetuneSettings& settings) { return settings.head.name == "prototype"; }

std::string departs_from_recipe(const FinetuneSettings& settings, Task task) {
  if (task != Task::classes) return "task";
  if (settings.find_rate) return "find-lr";
  FinetuneSettings plain;  // with what does not count
  plain.seed = settings.seed;
  plain.compute = settings.compute;
  plain.class_weights = settings.class_weights;
  plain.balanced_weights = settings.balanced_weights;
  plain.cached_views = settings.cached_views;
  plain.search_seconds = settings.search_seconds;
  plain.search_freedom = settings.search_freedom;
  if (is_prototype_head(settings)) plain.head = settings.head;  // which the search fits
  std::istringstream given(resumable_text(settings)), usual(resumable_text(plain));
  for (std::string a, b; std::getline(given, a) && std::getline(usual, b);) {
    if (a == b) continue;
    return a.substr(0, a.find('='));
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
                           const FinetuneSettings& settings, std::shared_ptr<DecodedPictures> decoded)
    : dataset_(dataset),
      preprocessings_(std::move(preprocessings)),
      settings_(settings),
      decoded_(std::move(decoded)) {}

const SampleSource& PictureForms::whole(const PictureForm& form) {
  auto& made = forms_[form];
  if (!made) {
    FinetuneSettings settings = settings_;
    settings.augment = augmentation_of(form.variants);
    settings.seed = form.seed;
    made = std::make_unique<Form>(dataset_, preprocessings_.at(form.preprocessing), settings, decoded_);
  }
  return made->whole;
}

Conventions possible_conventions(const Preprocessing& given, bool is_guess) {
  Conventions all{{""}, {given}};
  if (!is_guess) return all;
  all.names[0] = preprocessing_names()[0];
  const bool grey = given.colour == Preprocessing::Colour::grey;
  for (const std::string& name : preprocessing_names()) {
    if (name == all.names[0]) continue;
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

RecipeChooser::RecipeChooser(FinetuneSettings settings, TrainOptions options, const Preprocessing& preprocessing,
                             Graph base, const Dataset& dataset, std::shared_ptr<DecodedPictures> decoded,
                             const TrainListener& listener, const Backend& backend)
    : settings_(std::move(settings)),
      options_(std::move(options)),
      conventions_(possible_conventions(preprocessing, settings_.preprocessing_is_guess)),
      base_(std::move(base)),
      dataset_(dataset),
      listener_(listener),
      backend_(backend),
      forms_(dataset, conventions_.preprocessings, settings_, std::move(decoded)) {
  problem_.network = [this](const std::string& freeze, HeadInput input) {
    Network network =
        make_network(base_, with(freeze), static_cast<int64_t>(dataset_.classes.size()), input == HeadInput::joined);
    return RecipeNetwork{std::move(network.graph), network.head.parameters, network.joined_parts};
  };
  problem_.pictures = [this](const PictureForm& form) -> const SampleSource& { return forms_.whole(form); };
  const auto training = static_cast<int64_t>(dataset.train.size()),
             all = training + static_cast<int64_t>(dataset.validation.size());
  for (int64_t i = 0; i < all; ++i) (i < training ? problem_.training : problem_.validation).push_back(i);
  problem_.preprocessings = conventions_.names;
  problem_.classes = static_cast<int>(dataset.classes.size());
  problem_.budget = settings_.budget_seconds;
  problem_.class_means = is_prototype_head(settings_);
}

FinetuneSettings RecipeChooser::with(const std::string& freeze) const {
  FinetuneSettings deeper = settings_;
  deeper.freeze = freeze;
  if (freeze != "all") deeper.batch_norm = BatchNormPolicy::train;
  return deeper;
}

RecipeChoice RecipeChooser::choose(FinetuneSettings& settings, TrainOptions& options, Preprocessing& preprocessing) {
  RecipeChoice choice;
  const std::optional<RecipeChoice> known = settings.resume && std::filesystem::exists(settings.search_record)
                                                ? recorded(read_text(settings.search_record))
                                                : std::nullopt;
  const bool goes_on = known && known->report.epochs > 0 && known->form.preprocessing < conventions_.names.size() &&
                       std::filesystem::exists(settings.checkpoint);
  if (settings.resume && !goes_on && listener_.note)
    listener_.note(known && known->report.epochs == 0
                       ? "the run before fitted a head alone: that is done again from the beginning"
                       : "the run before did not come as far as a checkpoint: it is made from the beginning");
  if (goes_on) {
    choice = *known;
    choice.report.preprocessing = conventions_.names[choice.form.preprocessing];
    choice.norms = measure_activations(problem_, choice.form, options, backend_);
    RecipeNetwork network = problem_.network(choice.report.freeze, choice.input);
    insert_norms(network.graph, choice.norms);
    choice.training =
        depth_options(options, network.graph, network.head, choice.report.epochs, choice.report.trunk_rate);
  } else {
    options.checkpoint.resume = false;  // what was fitted is fitted again, and soon
    choice = settings.recipe.empty() ? choose_recipe(problem_, bank(), options, listener_, backend_)
                                     : chosen_before(settings.recipe);
    if (!settings.search_record.empty() && !choice.stopped) write_record(settings.search_record, choice);
  }
  settings = with(choice.report.freeze);
  settings.augment = augmentation_of(choice.form.variants);
  preprocessing = conventions_.preprocessings.at(choice.form.preprocessing);
  if (choice.report.epochs > 0) {
    CheckpointOptions checkpoint = options.checkpoint;
    checkpoint.fingerprint += "\nrecipe=" + std::to_string(choice.form.preprocessing) +
                              (choice.report.flips ? "f" : "n") + choice.report.freeze + "-" +
                              std::to_string(choice.report.epochs) + "-" + std::to_string(choice.report.trunk_rate);
    options = choice.training;
    options.checkpoint = checkpoint;
  }
  return choice;
}

RecipeChoice RecipeChooser::chosen_before(const std::string& record) {
  const std::optional<RecipeChoice> known = recorded(record);
  if (!known || known->form.preprocessing >= conventions_.names.size())
    throw Error("holds no recipe that was chosen for this model", "take auto.csv of a run with the same model",
                ErrorCode::bad_data)
        .about("recipe");
  return repeat_choice(problem_, bank(), *known, options_, listener_, backend_);
}

EpochReport RecipeChooser::judge_head(const RecipeChoice& choice) const {
  const PictureForm plain{choice.form.preprocessing};
  const auto metrics_of = [&](const std::vector<int64_t>& pictures) {
    const std::vector<int64_t> samples = bank_->readable(plain, pictures, 0, 0);
    const std::vector<float> scores = scores_of(choice.head, bank_->view(plain, samples, 0, choice.input));
    std::vector<int> labels;
    for (const int64_t i : samples) labels.push_back(problem_.pictures(plain).label(i));
    Metrics metrics(problem_.classes);
    metrics.add(scores, labels);
    return metrics;
  };
  const Metrics validation = metrics_of(problem_.validation);
  EpochReport report;
  report.epoch = report.epochs = 1;
  report.train_loss = metrics_of(problem_.training).loss();
  report.val_loss = validation.loss();
  report.val_score = validation.top1();
  report.val_second = validation.top5();
  return report;
}

ConfidenceRows RecipeChooser::confidence_rows(const RecipeChoice& choice, const ConfidencePictures& pictures) const {
  const PictureForm plain{choice.form.preprocessing};
  const auto features_of = [&](const std::vector<int64_t>& samples) {
    return bank_->view(plain, samples, 0, choice.input);
  };
  const std::vector<int64_t> held_back = bank_->readable(plain, pictures.held_back, 0, 0);
  ConfidenceRows rows{.width = bank_->width(choice.input),
                      .outputs = choice.head.bias.size(),
                      .references = features_of(bank_->readable(plain, pictures.references, 0, 0)),
                      .features = features_of(held_back)};
  rows.scores = scores_of(choice.head, rows.features);
  for (const int64_t i : held_back) rows.labels.push_back(problem_.pictures(plain).label(i));
  return rows;
}

FoldsResult RecipeChooser::cross_validate(int folds) {
  return cross_validate_recipe(problem_, bank(), folds, options_, listener_, backend_);
}

SeedsResult RecipeChooser::repeat(int count) {
  return repeat_recipe(problem_, bank(), count, options_, listener_, backend_);
}

FeatureBank& RecipeChooser::bank() {
  if (!bank_) bank_.emplace(problem_, options_, backend_);
  return *bank_;
}

}  // namespace graft
