// Runs ONNX's backend tests (node, simple, converted, light models) for every operator that graft reads, checks the
// gradients of what it differentiates, and says what passed, failed, or lies outside. Usage: onnx_backend DATA_DIR
// [--versions FILE] [--table FILE] [--check FILE] [--only NAME_PART]
// --table writes the table; --check fails when the file holds another one.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "importer/op_table.h"
#include "runtime/core/error.h"
#include "tests/conformance/case.h"

namespace fs = std::filesystem;
using namespace graft;
using namespace graft::conformance;

namespace {

/// The newest opset that graft reads (importer/reader.cpp).
constexpr int kNewestOpset = 27;

struct Count {
  int passed = 0, all = 0, gradients = 0;
};

struct Report {
  std::map<std::string, int> left_out;
  std::map<std::string, Count> by_operator, by_suite;
  int failed = 0;
};

void collect_operators(const onnx::GraphProto& graph, std::set<std::string>& to) {
  for (const auto& node : graph.node()) {
    to.insert(node.op_type());
    for (const auto& a : node.attribute())
      if (a.has_g()) collect_operators(a.g(), to);
  }
}

void run(const std::string& suite, const Case& test, Report& report) {
  const std::string reason = test.data.empty() ? "no data" : outside(test.model);
  if (!reason.empty()) {
    ++report.left_out[reason];
    return;
  }
  std::set<std::string> operators;
  collect_operators(test.model.graph(), operators);
  Count one{0, 1, 0};
  try {
    run_case(test);
    if (suite == "light") check_head(test);
    one.passed = 1;
    // Whole networks have their own gradient tests.
    if (suite != "light" && test.model.graph().node_size() <= 20 && check_gradient(test)) one.gradients = 1;
  } catch (const std::exception& e) {
    one.passed = 0;
    ++report.failed;
    std::printf("FAILED %s: %s\n", test.name.c_str(), e.what());
  }
  const auto add = [&](Count& count) {
    count.passed += one.passed;
    count.all += one.all;
    count.gradients += one.gradients;
  };
  add(report.by_suite[suite]);
  for (const auto& op : operators) add(report.by_operator[op]);
}

/// Opsets that changed each operator: lines of a name and a version, as scripts/setup lists ONNX's own definitions.
std::map<std::string, std::string> read_versions(const std::string& path) {
  std::map<std::string, std::string> versions;
  std::ifstream stream(path);
  int version = 0;
  for (std::string name; stream >> name >> version;) {
    if (version > kNewestOpset) continue;
    std::string& list = versions[name];
    list += (list.empty() ? "" : ", ") + std::to_string(version);
  }
  if (versions.empty()) throw Error(path + " lists no operators", "run scripts/setup --test");
  return versions;
}

std::string table(const Report& report, const std::map<std::string, std::string>& versions) {
  std::ostringstream out;
  out << "# Operators\n\n"
         "Read at opset 7 to 27; written at opset 17. Arithmetic is float32 (half and double weights are converted); "
         "shapes and axes\n"
         "are whole numbers known when a plan is made, indices may depend on the data. Two spatial dimensions; "
         "convolutions and pools have one to three.\n\n"
         "Made by the conformance test from ONNX's backend tests (node, simple and converted tests, light models). "
         "*Versions* are the opsets that\n"
         "changed an operator; graft reads all of them from opset 7 on. *Gradient* counts the tests whose slopes agree "
         "with central differences; a\n"
         "dash stands where nothing flows back (whole numbers, steps, comparisons) or nothing is learnt (quantised "
         "forms).\n\n"
         "| operator | versions | tests passed | gradient |\n|---|---|---|---|\n";
  std::string others;
  for (const auto& [name, reader] : op_table().readers()) {
    if (name.starts_with("com.microsoft.nchwc.")) continue;  // refused, with what to do
    if (!versions.contains(name)) {
      others += (others.empty() ? "" : ", ") + name;
      continue;
    }
    const auto it = report.by_operator.find(name);
    const Count count = it == report.by_operator.end() ? Count{} : it->second;
    out << "| " << name << " | " << versions.at(name) << " | " << count.passed << " of " << count.all << " | ";
    if (count.gradients > 0)
      out << count.gradients;
    else
      out << "–";
    out << " |\n";
  }
  out << "\nOf other domains, as ONNX Runtime's optimiser and quantisers and other converters write them (compared "
         "with ONNX "
         "Runtime by tests/e2e/test_foreign_forms.py): "
      << others << ".\n";
  out << "\n| suite | passed |\n|---|---|\n";
  for (const auto& [suite, count] : report.by_suite)
    out << "| " << suite << " | " << count.passed << " of " << count.all << " |\n";
  out << "\n## Left out\n\nTests that lie outside of what image classification needs, with the reason:\n\n| tests | "
         "reason |\n|---|---|\n";
  for (const auto& [reason, count] : report.left_out) out << "| " << count << " | " << reason << " |\n";
  return out.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::map<std::string, std::string> options;
  for (int i = 2; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  const std::string only = options["--only"];
  Report report;
  for (const std::string suite : {"node", "simple", "pytorch-operator", "pytorch-converted", "light"}) {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(fs::path(argv[1]) / suite)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) {
      if (path.filename().string().find(only) == std::string::npos) continue;
      if (suite == "light" ? path.extension() != ".onnx" : !fs::exists(path / "model.onnx")) continue;
      run(suite, suite == "light" ? load_light_case(path) : load_case(path), report);
    }
  }
  int left_out = 0, passed = 0, gradients = 0;
  for (const auto& [reason, count] : report.left_out) left_out += count;
  for (const auto& [suite, count] : report.by_suite) {
    std::printf("%s: %d of %d passed\n", suite.c_str(), count.passed, count.all);
    passed += count.passed;
    gradients += count.gradients;
  }
  const bool wants_table = options.contains("--table") || options.contains("--check");
  const std::string text = wants_table ? table(report, read_versions(options["--versions"])) : "";
  if (options.contains("--table")) std::ofstream(options["--table"]) << text;
  bool stale = false;
  if (options.contains("--check")) {
    std::ifstream stream(options["--check"]);
    stale = std::string(std::istreambuf_iterator<char>(stream), {}) != text;
    if (stale) std::printf("%s is not what this run gives: make it anew with --table\n", options["--check"].c_str());
  }
  std::printf("\n%s\nONNX backend tests: %d passed, %d failed, %d left out; %d gradients checked\n", text.c_str(),
              passed, report.failed, left_out, gradients);
  return report.failed == 0 && passed > 0 && !stale ? 0 : 1;
}
