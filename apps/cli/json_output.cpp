#include "apps/cli/json_output.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "apps/cli/notes.h"

namespace graft::app {
namespace {

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::corrupt_file:
      return "corrupt_file";
    case ErrorCode::bad_data:
      return "bad_data";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::io:
      return "io";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace

void print_json(nlohmann::json object) {
  object["schema"] = kJsonSchema;
  if (!object.contains("error")) {
    nlohmann::json notes = told_notes();
    if (const auto own = object.find("notes"); own != object.end() && own->is_array())
      for (const nlohmann::json& note : *own)
        if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
    object["notes"] = std::move(notes);
  }
  std::cout << object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
}

void print_json_error(const Error& error, const std::string& text) {
  nlohmann::json told{{"code", name_of(error.code())}, {"text", text}};
  if (!error.setting().empty()) told["setting"] = error.setting();
  print_json({{"error", told}});
}

}  // namespace graft::app
