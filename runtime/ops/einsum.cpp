#include "runtime/ops/einsum.h"

#include <algorithm>
#include <map>

#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

using Labels = std::vector<int>;      // letters, or kEllipsis + place for the dimensions of "..."
constexpr int kEllipsis = 1 << 8;     // above all letters
constexpr int64_t kMostLabels = 128;  // far more than any tensor has dimensions

bool contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

/// An equation whose terms name every dimension.
struct Equation {
  std::vector<Labels> terms;
  Labels output;
  std::map<int, int64_t> extents;

  Equation(const std::string& equation, const std::vector<Shape>& shapes) {
    with_place([&] { return "equation \"" + equation + "\""; }, [&] { parse(equation, shapes); });
  }

  Shape shape(const Labels& labels) const {
    Shape result;
    for (int label : labels) result.push_back(extents.at(label));
    return result;
  }

  /// True when the output or a term from `term` on has the label.
  bool needs(int label, size_t term) const {
    for (size_t i = term; i < terms.size(); ++i)
      if (contains(terms[i], label)) return true;
    return contains(output, label);
  }

 private:
  static std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts{""};
    for (char c : text) {
      if (c == ',')
        parts.emplace_back();
      else
        parts.back() += c;
    }
    return parts;
  }

  /// Letters as they are, kEllipsis for "...".
  static Labels read_term(const std::string& text) {
    Labels labels;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        labels.push_back(c);
      } else if (text.compare(i, 3, "...") == 0 && !contains(labels, kEllipsis)) {
        labels.push_back(kEllipsis);
        i += 2;
      } else {
        throw Error("is malformed at \"" + text.substr(i) + "\"");
      }
    }
    return labels;
  }

  static Labels spread_ellipsis(const Labels& term, int64_t first, int64_t last) {
    Labels labels;
    for (int label : term) {
      if (label != kEllipsis) {
        labels.push_back(label);
        continue;
      }
      for (int64_t i = first; i < last; ++i) labels.push_back(kEllipsis + static_cast<int>(i));
    }
    return labels;
  }

  void parse(const std::string& equation, const std::vector<Shape>& shapes) {
    std::string text;
    for (char c : equation)
      if (c != ' ') text += c;
    const size_t arrow = text.find("->");
    for (const std::string& term : split(text.substr(0, arrow))) terms.push_back(read_term(term));
    if (terms.size() != shapes.size())
      throw Error("has " + std::to_string(terms.size()) + " terms for " + std::to_string(shapes.size()) + " operands");
    std::vector<int64_t> left(terms.size(), 0);  // dimensions that "..." stands for
    int64_t most = 0;
    for (size_t i = 0; i < terms.size(); ++i) {
      const bool open = contains(terms[i], kEllipsis);
      left[i] = shapes[i].rank() - static_cast<int64_t>(terms[i].size()) + (open ? 1 : 0);
      if (left[i] < 0 || (!open && left[i] > 0) || shapes[i].rank() > kMostLabels)
        throw Error("term " + std::to_string(i + 1) + " does not fit an operand of " + shapes[i].str());
      most = std::max(most, left[i]);
    }
    std::map<int, int> occurrences;
    for (size_t i = 0; i < terms.size(); ++i) {
      terms[i] = spread_ellipsis(terms[i], most - left[i], most);
      for (int label : terms[i]) ++occurrences[label];
      take_extents(terms[i], shapes[i]);
    }
    if (arrow != std::string::npos) {
      output = spread_ellipsis(read_term(text.substr(arrow + 2)), 0, most);
    } else {
      output = spread_ellipsis({kEllipsis}, 0, most);
      for (const auto& [label, count] : occurrences)
        if (count == 1 && label < kEllipsis) output.push_back(label);
    }
    for (size_t i = 0; i < output.size(); ++i)
      if (!extents.contains(output[i]) ||
          contains(Labels(output.begin(), output.begin() + static_cast<int64_t>(i)), output[i]))
        throw Error("the output has a label twice, or one that no term has");
  }

  void take_extents(const Labels& term, const Shape& shape) {
    std::map<int, int64_t> own;
    for (size_t d = 0; d < term.size(); ++d) {
      if (const auto [at, is_new] = own.try_emplace(term[d], shape[d]); !is_new && at->second != shape[d])
        throw Error("a label twice in one term has extents " + std::to_string(at->second) + " and " +
                    std::to_string(shape[d]));
      int64_t& extent = extents.try_emplace(term[d], 1).first->second;
      if (extent != 1 && shape[d] != 1 && shape[d] != extent)
        throw Error("a label has extents " + std::to_string(extent) + " and " + std::to_string(shape[d]));
      if (shape[d] != 1) extent = shape[d];
    }
  }
};

/// A value whose dimensions have different labels, each of its full extent.
struct Term {
  ValueId value;
  Labels labels;
};

class Contraction {
 public:
  Contraction(Expansion& to, const Equation& equation) : to_(to), equation_(equation) {}

  ValueId run() {
    Term result = sum_lone(operand(0), 1);
    for (size_t i = 1; i < equation_.terms.size(); ++i) result = sum_lone(pair(result, operand(i), i + 1), i + 1);
    return arrange(result, equation_.output).value;
  }

 private:
  ValueId view(ValueId x, const Shape& shape) {
    if (to_.shape(x) == shape) return x;
    auto op = std::make_shared<ReshapeTo>();
    op->target = shape;
    return to_.emit(op, {x});
  }

  Term operand(size_t i) {
    Term term{to_.input(i), equation_.terms[i]};
    while (take_diagonal(term)) {
    }
    Labels kept;
    for (size_t d = 0; d < term.labels.size(); ++d)
      if (to_.shape(term.value)[d] == equation_.extents.at(term.labels[d])) kept.push_back(term.labels[d]);
    return {view(term.value, equation_.shape(kept)), kept};  // what stretches need not be there
  }

  /// Every (n+1)-th of the n² elements that two dimensions with one label span.
  bool take_diagonal(Term& term) {
    for (size_t i = 0; i < term.labels.size(); ++i)
      for (size_t j = i + 1; j < term.labels.size(); ++j) {
        if (term.labels[i] != term.labels[j]) continue;
        const Shape x = to_.shape(term.value);
        std::vector<int64_t> order;
        Labels labels;
        Shape square;
        for (size_t d = 0; d < x.size(); ++d) {
          if (d == i || d == j) continue;
          order.push_back(static_cast<int64_t>(d));
          labels.push_back(term.labels[d]);
          square.push_back(x[d]);
        }
        order.insert(order.end(), {static_cast<int64_t>(i), static_cast<int64_t>(j)});
        labels.push_back(term.labels[i]);
        square.push_back(x[i] * x[i]);
        auto slice = std::make_shared<Slice>();
        slice->starts = {0};
        slice->ends = {x[i] * x[i]};
        slice->axes = {square.rank() - 1};
        slice->steps = {x[i] + 1};
        term = {to_.emit(slice, {view(to_.transpose(term.value, order), square)}), labels};
        return true;
      }
    return false;
  }

  /// Sums over what neither the output nor a term from `next` on has.
  Term sum_lone(const Term& term, size_t next) {
    return sum(term, [&](int label) { return !equation_.needs(label, next); });
  }

  template <typename Is>
  Term sum(const Term& term, const Is& is_summed) {
    auto op = std::make_shared<Reduce>();
    op->kind = Reduce::Kind::sum;
    op->keep_dims = false;
    Labels kept;
    for (size_t d = 0; d < term.labels.size(); ++d) {
      if (is_summed(term.labels[d]))
        op->axes.push_back(static_cast<int64_t>(d));
      else
        kept.push_back(term.labels[d]);
    }
    return op->axes.empty() ? term : Term{to_.emit(op, {term.value}), kept};
  }

  Term arrange(const Term& term, const Labels& order) {
    std::vector<int64_t> permutation;
    for (int label : order)
      permutation.push_back(std::find(term.labels.begin(), term.labels.end(), label) - term.labels.begin());
    return {to_.transpose(term.value, permutation), order};
  }

  static Labels joined(std::initializer_list<Labels> parts) {
    Labels all;
    for (const Labels& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  }

  /// The product of two terms, summed over what only they have. Terms from `next` on are still to come.
  Term pair(const Term& left, const Term& right, size_t next) {
    const auto is_lone = [&](const Term& other) {
      return [&](int label) { return !contains(other.labels, label) && !equation_.needs(label, next); };
    };
    const Term a = sum(left, is_lone(right)), b = sum(right, is_lone(left));
    Labels batch, inner, rows, columns;
    for (int label : a.labels) {
      Labels& group = !contains(b.labels, label) ? rows : equation_.needs(label, next) ? batch : inner;
      group.push_back(label);
    }
    for (int label : b.labels)
      if (!contains(a.labels, label)) columns.push_back(label);
    const Labels result = joined({batch, rows, columns});
    if (inner.empty() || to_.dtype(a.value) != DType::f32) return multiply(a, b, result, inner);
    const int64_t m = extent(rows), n = extent(columns), k = extent(inner);
    Shape x{m, k}, w{k, n};
    if (!batch.empty()) {
      x.insert(x.begin(), extent(batch));
      w.insert(w.begin(), extent(batch));
    }
    const ValueId product =
        to_.emit(std::make_shared<MatMul>(), {view(arrange(a, joined({batch, rows, inner})).value, x),
                                              view(arrange(b, joined({batch, inner, columns})).value, w)});
    return {view(product, equation_.shape(result)), result};
  }

  /// Element by element, with a dimension of 1 for each label that the term lacks.
  Term multiply(const Term& a, const Term& b, const Labels& result, const Labels& inner) {
    const Labels all = joined({result, inner});
    const auto stretched = [&](const Term& term) {
      Labels order;
      Shape shape;
      for (int label : all) {
        const bool has = contains(term.labels, label);
        if (has) order.push_back(label);
        shape.push_back(has ? equation_.extents.at(label) : 1);
      }
      return view(arrange(term, order).value, shape);
    };
    const ValueId x = stretched(a), y = stretched(b);
    const Term product{to_.emit(make_binary(Binary::Kind::mul), {x, y}), all};
    return sum(product, [&](int label) { return contains(inner, label); });
  }

  int64_t extent(const Labels& labels) const { return equation_.shape(labels).elements(); }

  Expansion& to_;
  const Equation& equation_;
};

std::vector<Shape> shapes_of(std::span<const ValueType> inputs) {
  std::vector<Shape> shapes;
  for (const ValueType& input : inputs) shapes.push_back(input.shape);
  return shapes;
}

}  // namespace

std::vector<ValueType> Einsum::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an operand");
  for (const ValueType& input : inputs)
    if (input.dtype != inputs[0].dtype)
      throw Error(std::string("operands are ") + name_of(inputs[0].dtype) + " and " + name_of(input.dtype));
  const Equation parsed(equation, shapes_of(inputs));
  return {{inputs[0].dtype, parsed.shape(parsed.output)}};
}

int64_t Einsum::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType>) const {
  const Equation parsed(equation, shapes_of(inputs));
  int64_t sum = 0;
  Labels so_far = parsed.terms[0];
  for (size_t i = 1; i < parsed.terms.size(); ++i) {
    int64_t step = 1;
    Labels next;
    for (const auto& [label, extent] : parsed.extents) {
      const bool left = contains(so_far, label), right = contains(parsed.terms[i], label);
      const bool needed = parsed.needs(label, i + 1);
      if ((left && right) || ((left || right) && needed)) step *= extent;  // others are summed first
      if ((left || right) && needed) next.push_back(label);
    }
    sum += step;
    so_far = next;
  }
  return sum;
}

ValueId Einsum::expand(Expansion& expansion) const {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < expansion.input_count(); ++i) shapes.push_back(expansion.shape(expansion.input(i)));
  const Equation parsed(equation, shapes);
  return Contraction(expansion, parsed).run();
}

}  // namespace graft
