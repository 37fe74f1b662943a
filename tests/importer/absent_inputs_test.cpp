#include "importer/op_table.h"
#include "tests/importer/model_proto.h"

namespace graft {
namespace {

class AbsentInputs : public ModelProtoTest {};

/// Every operator of the table, without inputs, and with inputs of which the first, or all, are left out: an Error, or
/// a graph, but no crash.
TEST_F(AbsentInputs, AreRefusedByEveryOperator) {
  for (const auto& [name, reader] : op_table().readers()) {
    const size_t dot = name.rfind('.');
    for (const std::initializer_list<const char*> inputs :
         {std::initializer_list<const char*>{}, {""}, {"", "x"}, {"", "", ""}, {"x"}, {"x", "", "x"}}) {
      onnx::ModelProto proto = empty_model({1, 3, 8, 8});
      auto& node = add_node(*proto.mutable_graph(), dot == std::string::npos ? name : name.substr(dot + 1), inputs,
                            {"y", "second", "third"});
      if (dot != std::string::npos) node.set_domain(name.substr(0, dot));
      try {
        run(proto);
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()), "") << name;
      } catch (const std::exception& other) {
        ADD_FAILURE() << name << " of " << inputs.size() << " inputs: " << other.what();
      }
    }
  }
}

}  // namespace
}  // namespace graft
