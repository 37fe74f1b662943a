#pragma once

#include <string>
#include <vector>

namespace graft {

/// Names of classes in the order of a model's outputs.
struct LabelFile {
  std::vector<std::string> names;
  std::string form;  // how the file was understood, where it is more than a name a line; else empty
};

/// Reads a text file of a name a line; of an index from 0 or 1 and a name a line, in any order, with a comma,
/// semicolon, colon, tab or space between them, either first, with a header or not; of WordNet's synset numbers and
/// names; or JSON: a list, an object of indices and names (or of Keras' pairs), or of names and indices, also as
/// `id2label`, `labels`, `classes` or `names` of an object. Line ends of any kind; empty lines at the end do not count.
/// Throws Error (not_found, bad_data) for what is none of these, not UTF-8, or has an empty name.
LabelFile read_label_file(const std::string& path);

}  // namespace graft
