#pragma once

#include <memory>
#include <string>
#include <vector>

#include "augment/position.h"

namespace graft::app {

/// Named areas of a GeoJSON file [RFC 7946]. Point in polygon by GEOS, which is opened when there are any. Thread-safe.
class Places {
 public:
  /// A FeatureCollection, a Feature or a geometry of polygons. A feature is called by its "name", "title" or "id", in
  /// its properties or beside them, else by its number. Throws Error saying which feature cannot be used, and why.
  explicit Places(const std::string& path);
  ~Places();
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  /// What the collection is called: its "name", else the file's.
  const std::string& name() const { return name_; }
  size_t size() const;
  /// The areas that the place is in or at the edge of, in the order of the file.
  std::vector<std::string> around(const GeoPosition& position) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string name_;
};

}  // namespace graft::app
