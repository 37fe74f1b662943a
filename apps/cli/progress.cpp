#include "apps/cli/progress.h"

#include <unistd.h>

#include <iomanip>
#include <iostream>
#include <sstream>

namespace graft::app {
namespace {

constexpr int kBarWidth = 30;
constexpr double kBarSeconds = 0.1, kLineSeconds = 10;

}  // namespace

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { clear_bar(); }

void Progress::clear_bar() {
  if (bar_shown_) std::cerr << "\r\x1b[K" << std::flush;
  bar_shown_ = false;
}

void Progress::line(const std::string& text) {
  if (quiet_) return;
  clear_bar();
  std::cerr << text << std::endl;
}

void Progress::show(const std::string& phase, int64_t done, int64_t total) {
  if (quiet_ || total <= 0) return;
  const auto now = std::chrono::steady_clock::now();
  if (phase != phase_) {
    phase_ = phase;
    started_ = last_ = now;
  }
  const double since = std::chrono::duration<double>(now - last_).count();
  if (done < total && since < (terminal_ ? kBarSeconds : kLineSeconds)) return;
  last_ = now;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  std::ostringstream text;
  text << phase << ' ' << done << '/' << total;
  if (elapsed > 0.5) text << std::fixed << std::setprecision(1) << ", " << static_cast<double>(done) / elapsed << "/s";
  if (!terminal_) {
    if (elapsed >= kLineSeconds || done == total) std::cerr << text.str() << std::endl;
    return;
  }
  const auto filled = static_cast<int>(done * kBarWidth / total);
  std::cerr << "\r\x1b[K[" << std::string(static_cast<size_t>(filled), '#')
            << std::string(static_cast<size_t>(kBarWidth - filled), '.') << "] " << text.str() << std::flush;
  bar_shown_ = true;
  if (done == total) clear_bar();
}

}  // namespace graft::app
