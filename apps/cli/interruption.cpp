#include "apps/cli/interruption.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

namespace graft::app {
namespace {

std::atomic<int> asked_for_an_end{0};
static_assert(std::atomic<int>::is_always_lock_free);  // or a handler may not touch it
struct sigaction before_int, before_term;
std::string_view said;

void on_signal(int) {
  if (asked_for_an_end.exchange(1)) _exit(kInterrupted);  // files are written beside and renamed: nothing is left half
  const int before = errno;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, said.data(), said.size());
  errno = before;
}

/// Whoever has a signal ignored, as nohup does, keeps it so.
void take(int signal, struct sigaction& before) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(signal, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
}

}  // namespace

Interruption::Interruption(std::string_view first) {
  said = first;
  take(SIGINT, before_int);
  take(SIGTERM, before_term);
}

Interruption::~Interruption() {
  sigaction(SIGINT, &before_int, nullptr);
  sigaction(SIGTERM, &before_term, nullptr);
}

bool Interruption::asked() { return asked_for_an_end != 0; }

}  // namespace graft::app
