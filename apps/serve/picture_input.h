#pragma once

#include <string>
#include <vector>

#include "apps/serve/http_server.h"
#include "apps/serve/service.h"

namespace graft::app {

/// Pictures that a request holds, or why it is refused.
struct PictureInput {
  struct Picture {
    std::string bytes, name;
    std::string error;  // of this one alone: it is no picture, or has too many pixels
    int status = 422;   // that stands for the error
  };
  std::vector<Picture> pictures;
  nlohmann::json options = nlohmann::json::object();  // of a JSON body: its other keys; else of the query, as text
  std::optional<HttpReply> refused;
};

/// A body that is a picture file (image/*, application/octet-stream), several as files of multipart/form-data, or
/// {"pictures": [{"bytes": BASE64, "name": …}, …]} as application/json. Files' headers are read: what cannot be a
/// picture or has more pixels than are allowed takes no time of a model.
PictureInput pictures_of(HttpRequest& request, const ServiceSettings& settings);

/// A whole number among the options; `usual` where it is not given. Throws Error where it is none within the limits.
int64_t whole_number(const nlohmann::json& options, const char* name, int64_t usual, int64_t low, int64_t high);
/// A text among them.
std::string text_option(const nlohmann::json& options, const char* name);

}  // namespace graft::app
