#include "apps/interruption.h"

#include <unistd.h>

#include <csignal>

namespace graft::app {
namespace {

volatile std::sig_atomic_t asked_for_an_end = 0;
struct sigaction before_int, before_term;

void on_signal(int) {
  if (asked_for_an_end) _exit(kInterrupted);  // what is written is written beside and renamed: nothing is left half
  asked_for_an_end = 1;
  constexpr char kText[] = "\ngraft: ending after this batch; once more ends at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof kText - 1);
}

}  // namespace

Interruption::Interruption() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &before_int);
  sigaction(SIGTERM, &action, &before_term);
}

Interruption::~Interruption() {
  sigaction(SIGINT, &before_int, nullptr);
  sigaction(SIGTERM, &before_term, nullptr);
}

bool Interruption::asked() { return asked_for_an_end != 0; }

}  // namespace graft::app
