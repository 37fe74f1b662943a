#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "graft/device.h"

namespace graft::app {

/// A folder of classes that people put pictures into, and the model that is trained on them. Thread-safe; one training
/// at a time, in a thread of its own.
class Teaching {
 public:
  struct Settings {
    std::string folder;  // FOLDER/CLASS/…; is made where it is not there
    std::string base;    // the model that is trained on
    ComputeSettings compute;
    double budget_seconds = 15;               // of choosing, beside features and training
    size_t most_pictures = 5000;              // in the folder
    uint64_t most_bytes = uint64_t{4} << 30;  // of them
  };
  /// Throws Error: io; bad_data for a folder whose data is split already.
  explicit Teaching(Settings settings);
  /// Ends a training that goes on, and takes the trained model's file away.
  ~Teaching();
  Teaching(const Teaching&) = delete;
  Teaching& operator=(const Teaching&) = delete;

  /// {"classes": [{"name", "pictures"}], "running", "phase", "done", "total", "error", "trained"}: the last is null
  /// before a training has ended well, then {"accuracy", "pictures", "unreadable", "seconds", "conclusion"}.
  nlohmann::json state() const;
  /// Keeps a picture file in a class; the same bytes twice are one. Returns the name it has there. Throws Error:
  /// invalid_argument for a name that no folder may have; bad_data for no picture; unsupported where the folder is
  /// full; io.
  std::string add(const std::string& class_name, const std::string& bytes);
  /// What add() put into a class, by the names it has there, the newest last.
  std::vector<std::string> pictures(const std::string& class_name) const;
  /// The bytes of one of them; nothing for anything else.
  std::optional<std::string> picture(const std::string& class_name, const std::string& picture) const;
  /// Takes away what add() put there; false for anything else.
  bool remove(const std::string& class_name, const std::string& picture);
  /// Begins a training of the pictures that are there; false while another goes on. `trained` is called with the
  /// model's file, from the training's thread.
  bool start(std::function<void(const std::string& path)> trained);
  /// Asks a training to end where it is.
  void stop() { stop_ = true; }
  /// The trained model's file, or nothing.
  std::optional<std::string> model() const;

 private:
  class Told;
  void train(const std::function<void(const std::string& path)>& trained);
  struct Contents {
    size_t pictures = 0;
    uint64_t bytes = 0;
  };
  std::map<std::string, Contents> classes() const;
  std::string without_folder(std::string text) const;
  std::string folder_of(const std::string& class_name) const;

  const Settings settings_;
  std::string own_folder_;  // of the model and of features, for as long as this lasts
  int lock_ = -1;           // of that folder, which tells that it is in use
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::thread thread_;
  bool running_ = false;
  std::string phase_, error_;
  int64_t done_ = 0, total_ = 0;
  nlohmann::json trained_;
};

}  // namespace graft::app
