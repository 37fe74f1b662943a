#include "apps/cli/account.h"

#include <iostream>

#include "apps/cli/notes.h"

namespace graft::app {
namespace {

/// With commas between thousands.
std::string grouped(size_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

}  // namespace

std::string account_line(const Account& a) {
  const size_t files = a.pictures + a.unreadable.size() + a.ignored.size();
  std::string text = grouped(files) + (files == 1 ? " file: " : " files: ") + grouped(a.pictures) +
                     (a.pictures == 1 ? " picture" : " pictures");
  if (!a.unreadable.empty()) text += ", " + grouped(a.unreadable.size()) + " left out (named above)";
  if (!a.ignored.empty()) text += ", " + grouped(a.ignored.size()) + " not pictures";
  return text;
}

void tell_account(const Account& account, bool quiet) {
  if (!quiet) std::cerr << "graft: " << account_line(account) << '\n';
}

void tell_notes(const Dataset& data, bool quiet) {
  for (const std::string& note : data.notes) tell_note(note, quiet);
}

}  // namespace graft::app
