#pragma once

#include <string>
#include <vector>

namespace graft {

/// What a file's name says of it.
enum class FileKind {
  picture,  // ends as picture files do
  other,    // ends as texts, tables, films and archives do, which lie beside pictures
  unread,   // ends as pictures do that no codec reads: JPEG 2000, JPEG XL, Targa, icons, …
  system,   // what file managers and version control leave behind: .DS_Store, Thumbs.db, __MACOSX, @eaDir, ._*
  unknown   // says nothing: the first bytes decide
};
FileKind kind_by_name(const std::string& name);

/// Whether a file is a picture that a codec reads: by its name, else by its first bytes.
bool is_picture_file(const std::string& path);

/// Sorts names as file managers do where all of them are whole numbers (2 before 10), else byte by byte.
void sort_naturally(std::vector<std::string>& names);

/// The number that a name is: digits alone; -1 for any other.
int64_t number_of(const std::string& name);

/// A name as errors show it: bytes of one that is no UTF-8 as \xNN.
std::string shown(const std::string& name);
bool is_utf8(const std::string& text);

/// Capital A to Z made small.
std::string lower_case(std::string text);

}  // namespace graft
