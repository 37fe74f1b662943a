#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "apps/library/confidence_fit.h"
#include "apps/library/training_data.h"
#include "finetune/selection/recipe_search.h"
#include "graft/settings.h"

namespace graft {

/// The first setting that makes a run another than the plain recipe; empty where there is none. What says how fast, on
/// what and with which pictures a run goes does not count.
std::string departs_from_recipe(const FinetuneSettings& settings, Task task);

/// Whether the head is class means, which the search fits and no training does.
bool is_prototype_head(const FinetuneSettings& settings);

/// A dataset's pictures in every form that a search asks for.
class PictureForms {
 public:
  /// `preprocessings`: by PictureForm::preprocessing. The dataset outlives it.
  PictureForms(const Dataset& dataset, std::vector<Preprocessing> preprocessings, const FinetuneSettings& settings,
               std::shared_ptr<DecodedPictures> decoded);
  /// Training pictures, then those that validate. Lasts as long as this object.
  const SampleSource& whole(const PictureForm& form);

 private:
  struct Form {
    Form(const Dataset& dataset, const Preprocessing& preprocessing, const FinetuneSettings& settings,
         const std::shared_ptr<DecodedPictures>& decoded)
        : data(dataset, preprocessing, settings, Task::classes, decoded), whole(data.whole()) {}
    TrainingData data;
    PictureSource whole;  // of `data`
  };
  const Dataset& dataset_;
  std::vector<Preprocessing> preprocessings_;
  FinetuneSettings settings_;
  std::shared_ptr<DecodedPictures> decoded_;
  std::map<PictureForm, std::unique_ptr<Form>> forms_;
};

/// The augmentation that a form stands for, as FinetuneSettings::augment.
std::string augmentation_of(PictureForm::Variants variants);

/// The conventions that a model may have been trained with, the given one first, and their names.
struct Conventions {
  std::vector<std::string> names;
  std::vector<Preprocessing> preprocessings;
};
Conventions possible_conventions(const Preprocessing& given, bool is_guess);

/// Everything that is chosen by the pictures of one run, and judged by them: all of it reads the same features.
class RecipeChooser {
 public:
  /// `preprocessing`: as the model or the user says, or a guess (see FinetuneSettings). `base` as for make_network. The
  /// dataset, the listener and the backend outlive it.
  RecipeChooser(FinetuneSettings settings, TrainOptions options, const Preprocessing& preprocessing, Graph base,
                const Dataset& dataset, std::shared_ptr<DecodedPictures> decoded, const TrainListener& listener,
                const Backend& backend);

  /// Chooses a recipe (see choose_recipe) and puts it into `settings` (freeze, batch norms, augmentation), into
  /// `options` and `preprocessing`. What was tried is written to settings.search_record; a resumed run of which layers
  /// below the head were being trained takes what that record says was chosen, and its head comes from the checkpoint.
  /// Where settings.recipe tells a choice, it is carried out again in place of a search. Throws Error.
  RecipeChoice choose(FinetuneSettings& settings, TrainOptions& options, Preprocessing& preprocessing);
  /// The one entry of a run whose head alone was fitted: its loss on the training pictures, and what it is worth on
  /// those that validate.
  EpochReport judge_head(const RecipeChoice& choice) const;
  /// What that head makes of pictures whose features are there: see run_for_confidence.
  ConfidenceRows confidence_rows(const RecipeChoice& choice, const ConfidencePictures& pictures) const;

  /// See cross_validate_recipe.
  FoldsResult cross_validate(int folds);
  /// See repeat_recipe.
  SeedsResult repeat(int count);

 private:
  FinetuneSettings with(const std::string& freeze) const;
  RecipeChoice chosen_before(const std::string& record);
  FeatureBank& bank();  // made when it is needed

  const FinetuneSettings settings_;
  const TrainOptions options_;
  const Conventions conventions_;
  const Graph base_;
  const Dataset& dataset_;
  const TrainListener& listener_;
  const Backend& backend_;
  PictureForms forms_;
  RecipeProblem problem_;
  std::optional<FeatureBank> bank_;
};

}  // namespace graft
