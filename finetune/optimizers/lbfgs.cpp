#include <lbfgs.h>

#include <exception>

#include "finetune/optimizers/rules/lbfgs.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

class Lbfgs final : public Optimizer {
 public:
  explicit Lbfgs(int history) : history_(history) {}
  int slots() const override { return 0; }
  float default_lr() const override { return 1; }  // of the first line search; not used otherwise
  bool minimises() const override { return true; }
  void step_on(std::span<const size_t>, float, int64_t, const std::vector<Parameter>&, OptimizerState&) override {
    throw Error("lbfgs has no single steps");
  }

  void minimise(std::vector<Parameter>& parameters, Objective& objective, int iterations) override {
    for (const Parameter& p : parameters)
      if (p.l1 > 0)
        throw Error("lbfgs needs a smooth loss, L1 has corners", "use " + mention("weight-decay")).about("l1");
    Run run{parameters, objective, nullptr};
    std::vector<double> x;
    for (const Parameter& p : parameters)
      x.insert(x.end(), p.tensor->data<float>().begin(), p.tensor->data<float>().end());
    lbfgs_parameter_t settings;
    lbfgs_parameter_init(&settings);
    settings.m = history_;
    settings.epsilon = 1e-6;
    settings.max_iterations = iterations;
    settings.linesearch = LBFGS_LINESEARCH_MORETHUENTE;
    settings.max_linesearch = 40;
    double value = 0;
    const int status = lbfgs(static_cast<int>(x.size()), x.data(), &value, evaluate, progress, &run, &settings);
    if (run.failure) std::rethrow_exception(run.failure);
    // Single precision ends a line search before double precision would: that is the optimum as far as it can be told.
    static constexpr int kFine[] = {LBFGS_SUCCESS,
                                    LBFGS_STOP,
                                    LBFGS_ALREADY_MINIMIZED,
                                    LBFGSERR_MAXIMUMITERATION,
                                    LBFGSERR_ROUNDING_ERROR,
                                    LBFGSERR_MINIMUMSTEP,
                                    LBFGSERR_MAXIMUMLINESEARCH,
                                    LBFGSERR_WIDTHTOOSMALL,
                                    kEnded};
    for (int fine : kFine)
      if (status == fine) return;
    throw Error("liblbfgs ended with status " + std::to_string(status), "use another " + mention("optimizer"));
  }

 private:
  const int history_;
  static constexpr int kEnded = 1;  // the objective has had enough
  struct Run {
    std::vector<Parameter>& parameters;
    Objective& objective;
    std::exception_ptr failure;  // may not pass through C
  };

  static void set_weights(Run& run, const double* x) {
    for (Parameter& p : run.parameters)
      for (float& w : p.tensor->data<float>()) w = static_cast<float>(*x++);
  }

  static double evaluate(void* instance, const double* x, double* g, const int, const double) {
    Run& run = *static_cast<Run*>(instance);
    set_weights(run, x);
    double value = 0;
    try {
      value = run.objective.evaluate();
    } catch (...) {
      if (!run.failure) run.failure = std::current_exception();
      return value;
    }
    for (const Parameter& p : run.parameters) {
      const auto decay = static_cast<double>(p.weight_decay);
      for (int64_t i = 0; i < p.tensor->elements(); ++i, ++x, ++g) {
        *g = static_cast<double>(p.gradient[i]) + decay * *x;
        value += decay / 2 * *x * *x;
      }
    }
    return value;
  }

  static int progress(void* instance, const double* x, const double*, const double value, const double, const double,
                      const double, int, int, int) {
    Run& run = *static_cast<Run*>(instance);
    if (run.failure) return kEnded;
    set_weights(run, x);
    try {
      return run.objective.iteration(value) ? 0 : kEnded;
    } catch (...) {
      run.failure = std::current_exception();
      return kEnded;
    }
  }
};

}  // namespace

OptimizerPtr rules::Lbfgs::make(const Options& options) { return std::make_unique<graft::Lbfgs>(options.history); }

}  // namespace graft
