#include "importer/op_table.h"

namespace graft {

onnx::NodeProto& NodeWriter::begin(const std::string& type, size_t inputs) {
  current_ = proto_.add_node();
  current_->set_op_type(type.empty() ? std::string(node_.op->type()) : type);
  current_->set_name(node_.name);
  for (size_t i = 0; i < std::min(inputs, node_.inputs.size()); ++i) current_->add_input(name_of(node_.inputs[i]));
  for (ValueId id : node_.outputs) current_->add_output(name_of(id));
  return *current_;
}

onnx::AttributeProto& NodeWriter::attribute(const char* name, onnx::AttributeProto::AttributeType type) {
  auto& a = *current_->add_attribute();
  a.set_name(name);
  a.set_type(type);
  return a;
}

void NodeWriter::set(const char* name, int64_t value) { attribute(name, onnx::AttributeProto::INT).set_i(value); }
void NodeWriter::set(const char* name, float value) { attribute(name, onnx::AttributeProto::FLOAT).set_f(value); }
void NodeWriter::set(const char* name, const char* value) {
  attribute(name, onnx::AttributeProto::STRING).set_s(value);
}
void NodeWriter::set(const char* name, const std::vector<int64_t>& values) {
  auto& a = attribute(name, onnx::AttributeProto::INTS);
  for (int64_t v : values) a.add_ints(v);
}

std::string NodeWriter::helper(const char* type, const std::vector<std::string>& inputs, const std::string& suffix,
                               const std::string& output) {
  const std::string name = suffix.empty() ? node_.name : node_.name + ":" + suffix,
                    result = output.empty() ? name : output;
  current_ = proto_.add_node();
  current_->set_op_type(type);
  current_->set_name(name);
  for (const std::string& input : inputs) current_->add_input(input);
  current_->add_output(result);
  return result;
}

std::string NodeWriter::constant(const std::string& suffix, const Tensor& tensor) {
  const std::string name = node_.name + ":" + suffix;
  write_tensor(tensor, name, *proto_.add_initializer());
  return name;
}

void NodeWriter::add_input(const std::string& suffix, const Tensor& tensor) {
  current_->add_input(constant(suffix, tensor));
}

void NodeWriter::add_input(const std::string& suffix, const std::vector<int64_t>& values) {
  add_input(suffix, Tensor::copy_of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

void NodeWriter::set_window(const Window2d& w, bool kernel) {
  if (kernel) set("kernel_shape", {w.kernel.height, w.kernel.width});
  set("strides", {w.stride.height, w.stride.width});
  if (w.dilation.height != 1 || w.dilation.width != 1) set("dilations", {w.dilation.height, w.dilation.width});
  switch (w.auto_pad) {
    case AutoPad::given:
      set("pads", {w.padding.top, w.padding.left, w.padding.bottom, w.padding.right});
      break;
    case AutoPad::same_upper:
      set("auto_pad", "SAME_UPPER");
      break;
    case AutoPad::same_lower:
      set("auto_pad", "SAME_LOWER");
      break;
  }
  if (w.rounding == Rounding::ceil) set("ceil_mode", int64_t{1});
}

}  // namespace graft
