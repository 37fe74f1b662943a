#include "apps/serve/places.h"

#include <geos_c.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "graft/error.h"
#include "runtime/core/shared_library.h"

namespace graft::app {
namespace {

using nlohmann::json;

/// GEOS' C interface. Its functions of today take a context (_r), which one thread uses at a time.
struct Library {
  SharedLibrary library{GRAFT_GEOS_LIBRARY, "named places"};
#define GRAFT_FUNCTION(name) decltype(&::name) name = library.function<decltype(::name)>(#name)
  GRAFT_FUNCTION(GEOS_init_r);
  GRAFT_FUNCTION(GEOS_finish_r);
  GRAFT_FUNCTION(GEOSGeoJSONReader_create_r);
  GRAFT_FUNCTION(GEOSGeoJSONReader_destroy_r);
  GRAFT_FUNCTION(GEOSGeoJSONReader_readGeometry_r);
  GRAFT_FUNCTION(GEOSGeom_createPointFromXY_r);
  GRAFT_FUNCTION(GEOSGeom_destroy_r);
  GRAFT_FUNCTION(GEOSGeomTypeId_r);
  GRAFT_FUNCTION(GEOSisEmpty_r);
  GRAFT_FUNCTION(GEOSisValid_r);
  GRAFT_FUNCTION(GEOSPrepare_r);
  GRAFT_FUNCTION(GEOSPreparedGeom_destroy_r);
  GRAFT_FUNCTION(GEOSPreparedIntersects_r);
#undef GRAFT_FUNCTION
};

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_number() ? value.dump() : std::string();
}

std::string name_of_feature(const json& feature, size_t number) {
  for (const char* key : {"name", "NAME", "Name", "title", "id"})
    for (const json* object : {feature.contains("properties") ? &feature["properties"] : nullptr, &feature})
      if (object && object->is_object() && object->contains(key))
        if (std::string text = text_of((*object)[key]); !text.empty()) return text;
  return "area " + std::to_string(number + 1);
}

json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(path + ": cannot be read", {}, ErrorCode::io);
  json document = json::parse(file, nullptr, false);
  if (!document.is_object() || !document.contains("type") || !document["type"].is_string())
    throw Error(path + ": is no GeoJSON", "give a FeatureCollection of polygons");
  return document;
}

}  // namespace

struct Places::Impl {
  struct Area {
    std::string name;
    GEOSGeometry* shape = nullptr;
    const GEOSPreparedGeometry* prepared = nullptr;
  };
  Impl() : context(lib.GEOS_init_r()) {}
  ~Impl() {
    for (const Area& area : areas) {
      if (area.prepared) lib.GEOSPreparedGeom_destroy_r(context, area.prepared);
      lib.GEOSGeom_destroy_r(context, area.shape);
    }
    lib.GEOS_finish_r(context);
  }

  void add(std::string name, const json& geometry, const std::string& where) {
    const auto refuse = [&](const std::string& why) { throw Error(where + ": " + why); };
    if (!geometry.is_object()) refuse("has no geometry");
    GEOSGeoJSONReader* const reader = lib.GEOSGeoJSONReader_create_r(context);
    GEOSGeometry* const shape = lib.GEOSGeoJSONReader_readGeometry_r(context, reader, geometry.dump().c_str());
    lib.GEOSGeoJSONReader_destroy_r(context, reader);
    if (!shape) return refuse("has a geometry that cannot be read");
    Area& area = areas.emplace_back();  // whose shape the destructor gives back from here on
    area.name = std::move(name);
    area.shape = shape;
    const int type = lib.GEOSGeomTypeId_r(context, shape);
    if ((type != GEOS_POLYGON && type != GEOS_MULTIPOLYGON) || lib.GEOSisEmpty_r(context, shape) != 0)
      refuse("is no polygon");
    if (lib.GEOSisValid_r(context, shape) != 1) refuse("has a polygon that crosses itself, or is not closed");
    area.prepared = lib.GEOSPrepare_r(context, shape);
    if (!area.prepared) refuse("has a geometry that cannot be used");
  }

  Library lib;
  GEOSContextHandle_t context;
  std::vector<Area> areas;
  std::mutex mutex;
};

Places::Places(const std::string& path) : impl_(std::make_unique<Impl>()) {
  const json document = read_json(path);
  name_ = document.contains("name") ? text_of(document["name"]) : std::string();
  if (name_.empty()) name_ = std::filesystem::path(path).stem().string();
  const std::string type = document["type"];
  if (type == "FeatureCollection") {
    if (!document.contains("features") || !document["features"].is_array())
      throw Error(path + ": is a FeatureCollection without features");
    size_t number = 0;
    for (const json& feature : document["features"]) {
      const std::string where = path + ": feature " + std::to_string(number + 1);
      if (!feature.is_object()) throw Error(where + ": is no feature");
      const std::string name = name_of_feature(feature, number++);
      impl_->add(name, feature.contains("geometry") ? feature["geometry"] : json(), where + " (" + name + ")");
    }
  } else if (type == "Feature") {
    impl_->add(name_of_feature(document, 0), document.contains("geometry") ? document["geometry"] : json(), path);
  } else {
    impl_->add(name_, document, path);
  }
  if (impl_->areas.empty()) throw Error(path + ": holds no places");
}

Places::~Places() = default;

size_t Places::size() const { return impl_->areas.size(); }

std::vector<std::string> Places::around(const GeoPosition& position) const {
  const std::lock_guard lock(impl_->mutex);
  const Library& lib = impl_->lib;
  GEOSGeometry* const point = lib.GEOSGeom_createPointFromXY_r(impl_->context, position.longitude, position.latitude);
  std::vector<std::string> names;
  for (const Impl::Area& area : impl_->areas)
    if (lib.GEOSPreparedIntersects_r(impl_->context, area.prepared, point) == 1) names.push_back(area.name);
  lib.GEOSGeom_destroy_r(impl_->context, point);
  return names;
}

}  // namespace graft::app
