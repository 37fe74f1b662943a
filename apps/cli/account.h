#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graft/dataset.h"

namespace graft::app {

/// What became of every file that a command met.
struct Account {
  size_t pictures = 0;                  // read
  std::vector<std::string> unreadable;  // or in no class folder; with the reason
  std::vector<std::string> ignored;     // no pictures, with what they are taken for
};

/// "1,024 files: 1,010 pictures, 9 left out (named above), 5 not pictures"
std::string account_line(const Account& account);

/// Prints it on stderr, unless told to be quiet.
void tell_account(const Account& account, bool quiet);

/// What a dataset's reader guessed or left aside, a line each on stderr.
void tell_notes(const Dataset& data, bool quiet);

}  // namespace graft::app
