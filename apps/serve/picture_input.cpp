#include "apps/serve/picture_input.h"

#include <charconv>

#include "apps/library/base64.h"
#include "apps/serve/json_body.h"
#include "augment/encoded_picture.h"
#include "graft/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

/// Says what a model cannot be asked about.
void look_at(PictureInput::Picture& picture, int64_t largest_pixels) {
  try {
    const EncodedPicture encoded({reinterpret_cast<const uint8_t*>(picture.bytes.data()), picture.bytes.size()}, {});
    const int64_t pixels = encoded.width() * encoded.height();
    if (pixels <= largest_pixels) return;
    picture.error = "has " + std::to_string(pixels) + " pixels, more than the " + std::to_string(largest_pixels) +
                    " that are allowed";
    picture.status = 413;
  } catch (const Error& error) {
    picture.error = error.what();
  }
}

void take_json(HttpRequest& request, PictureInput& input) {
  json body = parse_body(request.body);
  if (!body.is_object()) {
    input.refused = error_reply(400, "the body is no JSON object");
    return;
  }
  const auto list = body.find("pictures");
  if (list == body.end() || !list->is_array()) {
    input.refused = error_reply(400, "\"pictures\" is no list");
    return;
  }
  for (const json& one : *list) {
    const auto bytes = one.is_object() ? one.find("bytes") : one.end();
    const auto name = one.is_object() ? one.find("name") : one.end();
    if (!one.is_object() || bytes == one.end() || !bytes->is_string() || (name != one.end() && !name->is_string())) {
      input.refused =
          error_reply(400, "a picture is an object with \"bytes\", the file in base64, and perhaps \"name\"");
      return;
    }
    const auto decoded = from_base64(bytes->get_ref<const std::string&>());
    PictureInput::Picture picture;
    if (name != one.end()) picture.name = name->get<std::string>();
    if (decoded)
      picture.bytes.assign(decoded->begin(), decoded->end());
    else
      picture.error = "\"bytes\" is no base64";
    input.pictures.push_back(std::move(picture));
  }
  body.erase("pictures");
  input.options = std::move(body);
}

}  // namespace

PictureInput pictures_of(HttpRequest& request, const ServiceSettings& settings) {
  PictureInput input;
  for (const auto& [name, value] : request.query) input.options[name] = value;
  const std::string type = request.media_type();
  if (type == "application/json") {
    take_json(request, input);
  } else if (type == "multipart/form-data") {
    for (HttpPart& part : request.parts)
      if (!part.file_name.empty() || part.name == "pictures" || part.type.starts_with("image/"))
        input.pictures.push_back({std::move(part.bytes), std::move(part.file_name), {}});
      else
        input.options[part.name] = part.bytes;
  } else if (type.starts_with("image/") || type == "application/octet-stream") {
    input.pictures.push_back({std::move(request.body), {}, {}});
  } else {
    input.refused = error_reply(415, "send a picture (image/*), multipart/form-data with files, or application/json");
  }
  if (input.refused) return input;
  std::erase_if(input.pictures, [](const auto& p) {
    return p.bytes.empty() && p.name.empty() && p.error.empty();
  });  // a form's empty field
  for (const auto& [name, value] : input.options.items())
    if (name != "model" && name != "top" && name != "index")
      input.refused = error_reply(400, "\"" + name + "\" is none of the options model, top and index");
  if (input.refused) return input;
  if (input.pictures.empty())
    input.refused = error_reply(400, "there is no picture in the request");
  else if (input.pictures.size() > settings.pictures_per_request)
    input.refused =
        error_reply(413, "there are " + std::to_string(input.pictures.size()) + " pictures in the request, " +
                             std::to_string(settings.pictures_per_request) + " are allowed");
  for (PictureInput::Picture& picture : input.pictures)
    if (picture.error.empty() && !input.refused) look_at(picture, settings.largest_pixels);
  return input;
}

int64_t whole_number(const json& options, const char* name, int64_t usual, int64_t low, int64_t high) {
  const auto at = options.find(name);
  if (at == options.end()) return usual;
  int64_t value = low - 1;
  if (at->is_string()) {
    const auto& text = at->get_ref<const std::string&>();
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size()) value = low - 1;
  } else if (at->is_number_integer() && !(at->is_number_unsigned() && at->get<uint64_t>() > INT64_MAX)) {
    value = at->get<int64_t>();
  }
  if (value < low || value > high)
    throw Error(std::string("\"") + name + "\" is no whole number from " + std::to_string(low) + " to " +
                std::to_string(high));
  return value;
}

std::string text_option(const json& options, const char* name) {
  const auto at = options.find(name);
  if (at == options.end()) return {};
  if (!at->is_string()) throw Error(std::string("\"") + name + "\" is no text");
  return at->get<std::string>();
}

}  // namespace graft::app
