#include "finetune/heads/convolution_head.h"
#include "finetune/heads/linear_head.h"
#include "finetune/heads/mlp_head.h"

namespace graft {
namespace {

/// Every head.
using All = TypeList<heads::Linear, heads::SupportVectors, heads::ClassMeans, heads::Mlp, heads::ConvolutionMaps>;

const Components<HeadPtr>& table() {
  static const Components<HeadPtr> heads = [] {
    Components<HeadPtr> all("head", "head");
    for_each_type(All{}, [&]<typename Kind>() {
      all.add<Kind>([](const typename Kind::Options& options) -> HeadPtr { return std::make_unique<Kind>(options); });
    });
    return all;
  }();
  return heads;
}

}  // namespace

HeadPtr make_head(const Choice& head) { return table().make(head); }

const std::vector<ComponentInfo>& head_components() { return table().infos(); }

Choice parse_head(const std::string& text) { return parse_choice(text, "head", "head", head_components()); }

}  // namespace graft
