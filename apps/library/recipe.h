#pragma once

#include <map>
#include <memory>
#include <string>

#include "apps/library/training_data.h"
#include "finetune/selection/recipe_search.h"
#include "graft/settings.h"

namespace graft {

/// The first setting that makes a run another than the plain recipe; empty where there is none. What says how fast, on
/// what and with which pictures a run goes does not count.
std::string departs_from_recipe(const FinetuneSettings& settings, Task task);

/// A dataset's pictures in every form that a search asks for.
class PictureForms {
 public:
  /// `preprocessings`: by PictureForm::preprocessing.
  PictureForms(const Dataset& dataset, std::vector<Preprocessing> preprocessings, const FinetuneSettings& settings);
  /// Training pictures, then those that validate. Lasts as long as this object.
  const SampleSource& whole(const PictureForm& form);

 private:
  struct Form {
    Form(const Dataset& dataset, const Preprocessing& preprocessing, const FinetuneSettings& settings)
        : data(dataset, preprocessing, settings, Task::classes), whole(data.whole()) {}
    TrainingData data;
    PictureSource whole;  // of `data`
  };
  const Dataset& dataset_;
  std::vector<Preprocessing> preprocessings_;
  FinetuneSettings settings_;
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

/// Chooses a recipe (see choose_recipe) and puts it into `settings` (freeze, batch norms, augmentation), into `options`
/// and `preprocessing`. `base` as for make_network. What was tried is written to settings.search_record; a resumed run
/// of which layers below the head were being trained takes what that record says was chosen, and its head comes from
/// the checkpoint. Throws Error.
RecipeChoice choose_recipe_for(FinetuneSettings& settings, TrainOptions& options, Preprocessing& preprocessing,
                               const Graph& base, const Dataset& dataset, const TrainListener& listener,
                               const Backend& backend);

/// The one entry of a run whose head alone was fitted: its loss on the training pictures, and what it is worth on those
/// that validate.
EpochReport judge_head(const RecipeChoice& choice, const Dataset& dataset);

}  // namespace graft
